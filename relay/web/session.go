package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"callrelay/relay/limit"
)

const (
	sessionCookie = "relay_session"
	sessionLength = 12 * time.Hour
	maxSessions   = 256         // at a time; a further one ends the oldest
	loginsEvery   = time.Second // tries of one client in a long row
	loginsAtOnce  = 5
)

// door lets in who knows the token. Sessions are cookies that it remembers: they
// end when somebody signs out of them, after sessionLength, when the token
// changes, and with the relay. It is safe for concurrent use.
type door struct {
	token   func() string         // empty: nobody gets in
	proxies func() []netip.Prefix // whose word counts for where a request came from
	guesses *limit.Guesses

	mu       sync.Mutex
	sessions map[string]session // by cookie
}

type session struct {
	token string // that it was got for
	until time.Time
}

func newDoor(token func() string, proxies func() []netip.Prefix) *door {
	return &door{token: token, proxies: proxies, guesses: limit.NewGuesses(loginsEvery, loginsAtOnce), sessions: map[string]session{}}
}

// open reports whether there is a token at all.
func (d *door) open() bool { return d.token() != "" }

// knows reports whether the request comes with a session or with the token
// itself.
func (d *door) knows(r *http.Request) bool {
	token := d.token()
	if token == "" {
		return false
	}
	if given, ok := bearer(r); ok {
		return d.right(given)
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[cookie.Value]
	return ok && s.token == token && time.Now().Before(s.until)
}

func bearer(r *http.Request) (token string, ok bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// right compares in constant time.
func (d *door) right(given string) bool {
	want, got := sha256.Sum256([]byte(d.token())), sha256.Sum256([]byte(given))
	return d.open() && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// slow makes who guesses the token slow, by whatever path.
func (d *door) slow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := d.knows(r)
		if known {
			limit.OfRequest(r).Prove()
		}
		if _, given := bearer(r); given && !known && d.open() && d.wrong(r) {
			http.Error(w, guessedOften, http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

const guessedOften = "too many wrong tokens: wait a little"

// wrong counts a wrong token and reports whether its client gives too many.
func (d *door) wrong(r *http.Request) (often bool) {
	return d.guesses.Wrong(r.Context(), limit.Client(r, d.proxies()))
}

// enter starts a session.
func (d *door) enter(w http.ResponseWriter) {
	value, until := rand.Text(), time.Now().Add(sessionLength)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sessions) >= maxSessions {
		oldest := value
		for id, s := range d.sessions {
			if oldest == value || s.until.Before(d.sessions[oldest].until) {
				oldest = id
			}
		}
		delete(d.sessions, oldest)
	}
	d.sessions[value] = session{d.token(), until}
	setSession(w, value, int(sessionLength.Seconds()))
}

// leave ends the session of the request.
func (d *door) leave(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.sessions, cookie.Value)
	}
	setSession(w, "", -1)
}

func setSession(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
