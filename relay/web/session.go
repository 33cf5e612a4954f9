package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

const (
	sessionCookie = "relay_session"
	sessionLength = 12 * time.Hour
	loginsEvery   = time.Second // tries in a long row
	loginsAtOnce  = 5
)

// door lets in who knows the token. Sessions are cookies signed with it: they
// end after sessionLength, or when the token changes. It is safe for concurrent
// use.
type door struct {
	token func() string // empty: nobody gets in
	tries *rate.Limiter
}

func newDoor(token func() string) *door {
	return &door{token: token, tries: rate.NewLimiter(rate.Every(loginsEvery), loginsAtOnce)}
}

// open tells whether there is a token at all.
func (d *door) open() bool { return d.token() != "" }

// knows tells whether the request comes with a session or with the token
// itself.
func (d *door) knows(r *http.Request) bool {
	token := d.token()
	if token == "" {
		return false
	}
	if given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return d.tries.Tokens() >= 1 && d.right(given)
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	expiry, mac, ok := strings.Cut(cookie.Value, ".")
	if !ok || !hmac.Equal([]byte(mac), []byte(sign(token, expiry))) {
		return false
	}
	unix, err := strconv.ParseInt(expiry, 10, 64)
	return err == nil && time.Now().Before(time.Unix(unix, 0))
}

// right compares in constant time, and makes who guesses slow.
func (d *door) right(given string) bool {
	want, got := sha256.Sum256([]byte(d.token())), sha256.Sum256([]byte(given))
	if d.open() && subtle.ConstantTimeCompare(want[:], got[:]) == 1 {
		return true
	}
	d.tries.Allow()
	return false
}

// enter starts a session.
func (d *door) enter(w http.ResponseWriter) {
	expiry := strconv.FormatInt(time.Now().Add(sessionLength).Unix(), 10)
	setSession(w, expiry+"."+sign(d.token(), expiry), int(sessionLength.Seconds()))
}

// leave ends a session in this browser.
func (d *door) leave(w http.ResponseWriter) { setSession(w, "", -1) }

func setSession(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

func sign(token, expiry string) string {
	key := sha256.Sum256([]byte("relay page session\n" + token))
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(expiry))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
