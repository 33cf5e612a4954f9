package deliver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// tokenServer hands out tokens t1, t2 … that live so many seconds.
type tokenServer struct {
	*httptest.Server
	issued atomic.Int64
	life   atomic.Int64
	broken atomic.Bool
}

func newTokenServer(t testing.TB, life int64) *tokenServer {
	t.Helper()
	ts := &tokenServer{}
	ts.life.Store(life)
	ts.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_ = r.ParseForm()
		switch {
		case ts.broken.Load():
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"client-secret-1 is wrong"}`)
		case user != "relay" || password != "client-secret-1" || r.Form.Get("scope") != "calls notes":
			w.WriteHeader(http.StatusBadRequest)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":%d}`, ts.issued.Add(1), ts.life.Load())
		}
	}))
	t.Cleanup(ts.Close)
	return ts
}

func oauthService(rc *receiver, ts *tokenServer) string {
	return service("crm", rc.URL, fmt.Sprintf("[service.auth.oauth2]\ntoken_url = %q\nclient_id = \"relay\"\n"+
		"client_secret = \"client-secret-1\"\nscopes = [\"calls\", \"notes\"]", ts.URL+"/token"))
}

func TestOneTokenServesAllAttempts(t *testing.T) {
	t.Parallel()
	ts, rc := newTokenServer(t, 3600), newReceiver(t)
	r := rigged(t, oauthService(rc, ts))
	r.owe("crm", names("e", 100)...)
	r.until("all arrive", func() bool { return rc.count() == 100 })
	if n := ts.issued.Load(); n != 1 {
		t.Errorf("%d token requests for 100 attempts, want 1", n)
	}
	if got := rc.requests()[0].Header.Get("Authorization"); got != "Bearer token-1" {
		t.Errorf("Authorization = %q", got)
	}
}

func TestAWithdrawnTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	ts, rc := newTokenServer(t, 3600), newReceiver(t)
	var valid atomic.Value
	valid.Store("Bearer token-1")
	rc.respond(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != valid.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	r := rigged(t, oauthService(rc, ts))
	r.owe("crm", "a")
	r.until("the first arrives", func() bool { return r.status("crm").Delivered == 1 })
	valid.Store("Bearer token-2")
	r.owe("crm", names("b", 20)...)
	r.until("all arrive", func() bool { return r.status("crm").Delivered == 21 })
	if n := ts.issued.Load(); n != 2 {
		t.Errorf("%d tokens, want a second one and no more", n)
	}
	if v, _ := r.metric(`relay_deliveries_total{outcome="retry",service="crm"}`); v != 0 {
		t.Errorf("%v retries, want the exchange repeated within its attempt", v)
	}
	valid.Store("none")
	before := rc.count()
	r.owe("crm", "c")
	r.until("the attempt has failed", func() bool { return r.status("crm").LastStatus == 401 })
	if n := rc.count() - before; n != 2 {
		t.Errorf("%d exchanges in an attempt that is refused, want 2", n)
	}
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	t.Parallel()
	ts, rc := newTokenServer(t, 3600), newReceiver(t)
	ts.broken.Store(true)
	r := rigged(t, oauthService(rc, ts)+"[service.breaker]\nopen = \"100ms\"")
	r.owe("crm", "a")
	r.until("the attempt has failed", func() bool { return r.status("crm").LastError != "" })
	want := "token endpoint " + strings.TrimPrefix(ts.URL, "http://") + ": status 401 invalid_client"
	if got := r.status("crm").LastError; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
	if rc.count() != 0 {
		t.Error("the endpoint was called without a token")
	}
	if text := r.log.String(); strings.Contains(text, "client-secret-1") {
		t.Errorf("the secret is in the log:\n%s", text)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, auth, header, want string
	}{
		{"basic", `basic = { user = "u", password = "p:w" }`, "Authorization", "Basic dTpwOnc="},
		{"header", `header = { name = "X-Api-Key", value = "k1" }`, "X-Api-Key", "k1"},
		{"bearer", `bearer = "b1"`, "Authorization", "Bearer b1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rc := newReceiver(t)
			r := rigged(t, service("crm", rc.URL, "[service.auth]\n"+test.auth))
			r.owe("crm", "a")
			r.until("it arrives", func() bool { return rc.count() == 1 })
			if got := rc.requests()[0].Header.Get(test.header); got != test.want {
				t.Errorf("%s = %q, want %q", test.header, got, test.want)
			}
		})
	}
}

func TestAProxyIsUsed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked, credentials string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked, credentials = r.URL.String(), r.Header.Get("Proxy-Authorization")
	}))
	defer proxy.Close()
	u, _ := url.Parse(proxy.URL)
	r := rigged(t, service("crm", "http://crm.example.invalid/calls", `proxy = "http://me:proxy-secret@`+u.Host+`"`))
	r.owe("crm", "a")
	r.until("it is delivered", func() bool { return r.status("crm").Delivered == 1 })
	mu.Lock()
	defer mu.Unlock()
	if asked != "http://crm.example.invalid/calls" || credentials != "Basic bWU6cHJveHktc2VjcmV0" {
		t.Errorf("the proxy was asked for %q with %q", asked, credentials)
	}
}

// write puts a file beside relay.toml.
func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A token is made anew for each attempt, with claims of its event, and is shown
// nowhere else.
func TestASignedTokenIsMadeForEachAttempt(t *testing.T) {
	t.Parallel()
	for place, more := range map[string]string{"Authorization": "", "X-Token": "header = \"X-Token\"", "?": "query = \"jwt\""} {
		rc := newReceiver(t)
		rc.respond(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Relay-Attempt") == "1" {
				status(503, r.URL.RawQuery+r.Header.Get("X-Token")+r.Header.Get("Authorization"))(w, r)
			}
		})
		r := rigged(t, service("crm", rc.URL+"/?a=1", "retry_schedule = [\"10ms\"]\n[service.auth.jwt]\nalg = \"HS256\"\nkey = \"signing-key-1\"\nclaims = { sub = \"#event_id#\", n = \"#attempt|number#\", level = 5 }\n"+more))
		r.owe("crm", `a"b`)
		r.until("it is delivered", func() bool { return r.status("crm").Delivered == 1 })
		var tokens []string
		for i, got := range rc.requests() {
			text := got.Header.Get(place)
			if place == "?" {
				text = got.URL.Query().Get("jwt")
			}
			text = strings.TrimPrefix(text, "Bearer ")
			claims := jwt.MapClaims{}
			if _, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return []byte("signing-key-1"), nil }); err != nil {
				t.Fatalf("%s: %v", place, err)
			}
			if claims["sub"] != `a"b` || claims["n"] != float64(i+1) || claims["level"] != float64(5) {
				t.Errorf("%s: claims %v", place, claims)
			}
			tokens = append(tokens, text)
		}
		if len(tokens) != 2 || tokens[0] == tokens[1] {
			t.Errorf("%s: tokens %v, want one for each attempt", place, tokens)
		}
		if text := r.log.String(); strings.Contains(text, tokens[0]) || !strings.Contains(text, "***") {
			t.Errorf("%s: the token is in the log:\n%s", place, text)
		}
	}
}
