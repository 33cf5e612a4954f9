package recordings

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"path"
	"time"

	"golang.org/x/time/rate"

	"callrelay/relay/limit"
	"callrelay/relay/recordings/link"
)

var (
	errNoSecret    = errors.New("link has no signature")
	errToken       = errors.New("token means no file")
	errNoPassword  = errors.New("password is asked for")
	errPassword    = errors.New("password is wrong")
	errTooMany     = errors.New("client asks too much")
	errMethod      = errors.New("method is neither GET nor HEAD")
	errUnavailable = errors.New("recording is not available")
)

// A request is what is judged of an HTTP request.
type request struct {
	client         netip.Addr
	path, query    string // escaped, as requested
	name, password string
	login          bool // there is a name and a password
}

// A grant is what a link has been found to open.
type grant struct {
	name   string // of the file, canonical
	slice  link.Slice
	access string // mode of the link
	user   string // who gave the password
}

// A refusal is the error of a request that opens nothing.
type refusal struct {
	status  int
	cause   error
	guessed bool // a secret was wrong, which a client may try only so often
}

func (r *refusal) Error() string { return r.cause.Error() }

func (r *refusal) Unwrap() error { return r.cause }

// admit says what a request opens: by the mode of its link alone, whatever
// else the request holds. No file is looked at before, so a refusal says
// nothing of which ones there are.
func (r *responder) admit(ctx context.Context, s *settings, req request) (grant, error) {
	l, err := link.Parse(s.prefix, req.path, req.query)
	switch {
	case errors.Is(err, link.ErrPath):
		return grant{}, &refusal{http.StatusNotFound, err, true}
	case err != nil:
		return grant{}, &refusal{http.StatusForbidden, err, true}
	case l.Signed:
		if err := l.Verify(s.keys, time.Now()); err != nil {
			return grant{}, &refusal{http.StatusForbidden, err, true}
		}
		return grant{name: l.Path, slice: l.Slice, access: AccessSigned}, nil
	}
	if ids := l.PathIDs(s.keys); ids != nil && (s.Anonymous || s.Access == AccessAnonymous) {
		if name, ok := r.tokens.find(path.Dir(l.Path), ids); ok {
			return grant{name: name, slice: l.Slice, access: AccessAnonymous}, nil
		}
		if !s.users.any() {
			return grant{}, &refusal{http.StatusNotFound, errToken, true}
		}
	}
	if err := s.users.admit(ctx, r.guesses, req); err != nil {
		return grant{}, err
	}
	return grant{name: l.Path, slice: l.Slice, access: AccessBasic, user: req.name}, nil
}

// admit checks the password of a link that has nothing else to open it. One that
// takes long to check is not checked for who gave too many wrong ones.
func (u *users) admit(ctx context.Context, guesses *limit.Guesses, req request) error {
	switch {
	case !u.any():
		return &refusal{http.StatusForbidden, errNoSecret, true}
	case !req.login:
		return &refusal{http.StatusUnauthorized, errNoPassword, false}
	case u.slow && guesses.Suspect(req.client) && !u.remembers(req.name, req.password):
		return &refusal{http.StatusTooManyRequests, errTooMany, true}
	case !u.allows(ctx, req.name, req.password):
		return &refusal{http.StatusUnauthorized, errPassword, true}
	}
	return nil
}

// Bounds of one client, by its address. Loopback ones, which are a proxy or the
// operator, are bounded in refused requests only.
const (
	ClientRate   = 500  // requests a second
	ClientBurst  = 1000 //
	RefusedRate  = 20   // refused requests a second
	RefusedBurst = 300  //
	knownClients = 8 << 10
)

// refusedEvery is what a client is refused without being slowed.
const refusedEvery = time.Second / RefusedRate

// clients bounds how much each client may ask. Safe for concurrent use.
type clients struct {
	known *cache[netip.Addr, *rate.Limiter]
}

func newClients() *clients { return &clients{newCache[netip.Addr, *rate.Limiter](knownClients)} }

// ask counts a request and reports whether it may be answered.
func (c *clients) ask(addr netip.Addr) bool {
	return addr.IsLoopback() || c.known.fetch(addr, func() *rate.Limiter { return rate.NewLimiter(ClientRate, ClientBurst) }).Allow()
}
