package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"callrelay/config"

	"golang.org/x/sync/singleflight"
)

// refreshEarly is how long before its end a token is replaced, and at most a
// fifth of its life: a token that lives for seconds is not asked for at every
// attempt.
const refreshEarly = time.Minute

// A Keeper keeps small texts beyond the process.
type Keeper interface {
	Save(name string, data []byte) error
	Load(name string) ([]byte, error)
}

// StateName is the name under which a [Keeper] keeps something of a service. One
// that would be longer than queues take has a hash in it.
func StateName(what, service string) string {
	if name := what + "-" + service; len(name) <= 64 {
		return name
	}
	sum := sha256.Sum256([]byte(service))
	return what + "-" + hex.EncodeToString(sum[:16])
}

// tokenSender is a [Sender] that shows the endpoint an OAuth2 token. Attempts
// share one token and one request for it. Without a token nothing is sent.
type tokenSender struct {
	next  Sender
	asker *tokenAsker
	ask   singleflight.Group

	mu      sync.Mutex
	token   *token    // nil: none, or refused
	refresh time.Time // when token is to be replaced; zero: never
}

func newTokenSender(name string, o *config.OAuth2, client *http.Client, keep Keeper, next Sender) (*tokenSender, error) {
	asker, err := newTokenAsker(name, o, client, keep)
	return &tokenSender{next: next, asker: asker}, err
}

// Send adds the token. Where the endpoint answers 401 the token may have been
// withdrawn: it is replaced, and the exchange repeated once.
func (s *tokenSender) Send(ctx context.Context, a *Attempt) (Reply, error) {
	token, err := s.authorize(ctx, a)
	if err != nil {
		return Reply{}, err
	}
	reply, err := s.next.Send(ctx, a)
	if err != nil || reply.Status != http.StatusUnauthorized {
		return reply, err
	}
	s.discard(token)
	if _, err = s.authorize(ctx, a); err != nil {
		return Reply{}, err
	}
	return s.next.Send(ctx, a)
}

// authorize gives an attempt a token that is valid.
func (s *tokenSender) authorize(ctx context.Context, a *Attempt) (*token, error) {
	asking, cancel := a.within(ctx)
	defer cancel()
	token, err := s.current(asking)
	if err == nil {
		a.Header.Set("Authorization", "Bearer "+token.text)
	}
	return token, err
}

func (s *tokenSender) closeIdle() {
	s.asker.client.CloseIdleConnections()
	CloseIdle(s.next)
}

func (s *tokenSender) retire() {
	s.asker.client.CloseIdleConnections()
	Retire(s.next)
}

// current returns the token, asking for one when there is none or it is about
// to end. Those who come meanwhile wait for the same answer.
func (s *tokenSender) current(ctx context.Context) (*token, error) {
	if token := s.valid(); token != nil {
		return token, nil
	}
	answer := s.ask.DoChan("", func() (any, error) {
		if token := s.valid(); token != nil { // another request has just ended
			return token, nil
		}
		// The request serves all who wait, so it outlives the attempt that
		// happened to start it; the client's timeout bounds it.
		return s.fetch(context.WithoutCancel(ctx))
	})
	var err error
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case got := <-answer:
		if err = got.Err; err == nil {
			return got.Val.(*token), nil
		}
	}
	return nil, fmt.Errorf("token endpoint %s: %w", HostOf(s.asker.o.TokenURL), withoutURL(err))
}

func (s *tokenSender) valid() *token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == nil || (!s.refresh.IsZero() && !time.Now().Before(s.refresh)) {
		return nil
	}
	return s.token
}

func (s *tokenSender) fetch(ctx context.Context) (*token, error) {
	token, err := s.asker.get(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.refresh = token, time.Time{}
	if token.life > 0 {
		s.refresh = time.Now().Add(token.life - min(refreshEarly, token.life/5))
	}
	return token, nil
}

// discard drops a token that was refused, unless it was replaced meanwhile.
func (s *tokenSender) discard(token *token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token = nil
	}
}
