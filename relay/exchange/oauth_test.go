package exchange

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/config"

	"github.com/golang-jwt/jwt/v5"
)

// endpointOf is a token endpoint, and what it was asked.
type endpointOf struct {
	*httptest.Server
	mu    sync.Mutex
	asked []url.Values // client_id and client_secret in them, wherever they came
}

func newEndpoint(t testing.TB, answer func(w http.ResponseWriter, form url.Values, style string, n int)) *endpointOf {
	t.Helper()
	e := &endpointOf{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		style := "body"
		if id, secret, ok := r.BasicAuth(); ok {
			style = "basic"
			id, _ = url.QueryUnescape(id)
			secret, _ = url.QueryUnescape(secret)
			r.Form.Set("client_id", id)
			r.Form.Set("client_secret", secret)
		}
		e.mu.Lock()
		e.asked = append(e.asked, r.Form)
		n := len(e.asked)
		e.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		answer(w, r.Form, style, n)
	}))
	t.Cleanup(e.Close)
	return e
}

// client is a sender of tokens, and what it shows its endpoint.
func (e *endpointOf) client(t testing.TB, o config.OAuth2, keep Keeper) (send func() (string, error)) {
	t.Helper()
	o.TokenURL = e.URL
	var shown string
	s, err := newTokenSender("crm", &o, e.Client(), keep, SenderFunc(func(_ context.Context, a *Attempt) (Reply, error) {
		shown = a.Header.Get("Authorization")
		return Reply{Status: http.StatusOK}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return func() (string, error) {
		shown = ""
		_, err := s.Send(t.Context(), &Attempt{})
		return shown, err
	}
}

func TestATokenIsReplacedBeforeItEnds(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ url.Values, _ string, n int) {
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":1}`, n)
	})
	var shown string
	s, err := newTokenSender("crm", &config.OAuth2{TokenURL: e.URL}, e.Client(), nil, SenderFunc(func(_ context.Context, a *Attempt) (Reply, error) {
		shown = a.Header.Get("Authorization")
		return Reply{Status: http.StatusOK}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		if _, err := s.Send(t.Context(), &Attempt{}); err != nil {
			t.Fatal(err)
		}
	}
	send()
	if left := time.Until(s.refresh); left > 900*time.Millisecond {
		t.Errorf("a token of 1 s is replaced after %s, want about 0.8 s", left)
	}
	until(t, "it is about to end", func() bool { return s.valid() == nil })
	if send(); shown != "Bearer token-2" {
		t.Errorf("Authorization = %q, want a fresh token", shown)
	}
}

// What endpoints answer, and what is shown for it.
func gzipped(text string) string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, text) // a buffer takes all
	_ = w.Close()
	return packed.String()
}

func TestTokenAnswers(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		status       int
		want         string        // or a part of the error
		life         time.Duration // 0: for ever
	}{
		{"plain", `{"access_token":"T1","token_type":"Bearer","expires_in":3600}`, 200, "Bearer T1", time.Hour},
		{"a life as text", `{"access_token":"T1","expires_in":"3600"}`, 200, "Bearer T1", time.Hour},
		{"a fraction", `{"access_token":"T1","expires_in":3599.75}`, 200, "Bearer T1", 3599750 * time.Millisecond},
		{"a fraction as text", `{"access_token":"T1","expires_in":"3600.0"}`, 200, "Bearer T1", time.Hour},
		{"an exponent", `{"access_token":"T1","expires_in":3.6e3}`, 200, "Bearer T1", time.Hour},
		{"an empty life", `{"access_token":"T1","expires_in":""}`, 200, "Bearer T1", 0},
		{"no life", `{"access_token":"T1","expires_in":null}`, 200, "Bearer T1", 0},
		{"a life of nothing", `{"access_token":"T1","expires_in":0}`, 200, "Bearer T1", 0},
		{"a life below nothing", `{"access_token":"T1","expires_in":-1}`, 200, "Bearer T1", 0},
		{"a life without end", `{"access_token":"T1","expires_in":31536000000}`, 200, "Bearer T1", maxTokenLife},
		{"an object for a life", `{"access_token":"T1","expires_in":{}}`, 200, "Bearer T1", 0},
		{"bearer in small letters", `{"access_token":"T1","token_type":"bearer"}`, 200, "Bearer T1", 0},
		{"what Apigee calls it", `{"access_token":"T1","token_type":"BearerToken"}`, 200, "Bearer T1", 0},
		{"what others call it", `{"access_token":"T1","token_type":"JWT"}`, 200, "Bearer T1", 0},
		{"a proof of possession", `{"access_token":"T1","token_type":"MAC"}`, 200, "of a type that is not known: MAC", 0},
		{"another one", `{"access_token":"T1","token_type":"DPoP"}`, 200, "of a type that is not known", 0},
		{"a byte order mark", "\ufeff" + `{"access_token":"T1"}`, 200, "Bearer T1", 0},
		{"a form", `access_token=T1&token_type=Bearer&expires_in=60`, 201, "Bearer T1", time.Minute},
		{"packed", gzipped(`{"access_token":"T1","expires_in":60}`), 200, "Bearer T1", time.Minute},
		{"a line end behind it", `{"access_token":"T1\n"}`, 200, "Bearer T1", 0},
		{"a header within it", `{"access_token":"T1\r\nX-Evil: 1"}`, 200, "that no header can carry", 0},
		{"an error under 200", `{"error":"invalid_client"}`, 200, "status 200 invalid_client", 0},
		{"nothing of use", `{"data":{"access_token":"T1"}}`, 200, "gave no token", 0},
		{"a redirect", ``, 302, "status 302", 0},
		{"a page", `<html>`, 500, "status 500", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(t, func(w http.ResponseWriter, _ url.Values, _ string, _ int) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.answer)
			})
			shown, err := e.client(t, config.OAuth2{ClientID: "relay", ClientSecret: config.NewSecret("s")}, nil)()
			if err != nil {
				shown = err.Error()
			}
			if !strings.Contains(shown, test.want) {
				t.Errorf("got %q, want %q", shown, test.want)
			}
			if answer := readTokenAnswer([]byte(test.answer)); lifeOf(answer.ExpiresIn) != test.life {
				t.Errorf("life %s, want %s", lifeOf(answer.ExpiresIn), test.life)
			}
			if n := len(e.asked); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// Until one way to show the credentials has worked, each attempt tries one; that
// one is kept, even when the credentials are refused later.
func TestTheStyleThatWorkedIsRemembered(t *testing.T) {
	for _, takes := range []string{"basic", "body"} {
		for _, style := range []string{"auto", "basic", "body"} {
			var refuse bool
			var styles []string
			e := newEndpoint(t, func(w http.ResponseWriter, form url.Values, came string, _ int) {
				styles = append(styles, came)
				if refuse || came != takes || form.Get("client_secret") != "s3/c+r= t&" || form.Get("client_id") != "relay" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				_, _ = io.WriteString(w, `{"access_token":"T1","expires_in":0.0000001}`)
			})
			send := e.client(t, config.OAuth2{ClientID: "relay", ClientSecret: config.NewSecret("s3/c+r= t&"), AuthStyle: style}, nil)
			for range 3 {
				_, _ = send()
			}
			refuse = true
			_, _ = send()
			want := strings.Repeat(style+" ", 4)
			if style == "auto" {
				want = "basic " + strings.Repeat(takes+" ", 3)
			}
			if got := strings.Join(styles, " ") + " "; got != want {
				t.Errorf("an endpoint that takes %s, style %s: asked %s, want %s", takes, style, got, want)
			}
		}
	}
}

// keeper is a [Keeper] in memory.
type keeper struct {
	data map[string][]byte
	fail bool
}

func (k *keeper) Save(name string, data []byte) error {
	if k.fail {
		return errors.New("disk full")
	}
	k.data[name] = data
	return nil
}

func (k *keeper) Load(name string) ([]byte, error) { return k.data[name], nil }

func TestGrants(t *testing.T) {
	secret := config.NewSecret
	assertion := &config.JWT{Alg: "HS256", Key: secret("0123456789"), Claims: `{"iss":"relay","aud":"crm"}`, Expires: time.Minute}
	for _, test := range []struct {
		name  string
		grant config.OAuth2
		want  map[string]string
	}{
		{
			"client credentials",
			config.OAuth2{ClientID: "relay", ClientSecret: secret("s"), Scopes: []string{"a", "b"}, Params: []config.Field{{Name: "audience", Value: "https://api"}}},
			map[string]string{"grant_type": "client_credentials", "scope": "a b", "audience": "https://api", "client_id": "relay", "client_secret": "s"},
		},
		{
			"password",
			config.OAuth2{Grant: "password", User: "u", Password: secret("p"), ClientID: "relay", ClientSecret: secret("s")},
			map[string]string{"grant_type": "password", "username": "u", "password": "p", "client_id": "relay"},
		},
		{
			"a public client",
			config.OAuth2{Grant: "password", User: "u", Password: secret("p"), ClientID: "relay"},
			map[string]string{"username": "u", "client_id": "relay", "client_secret": ""},
		},
		{
			"refresh token",
			config.OAuth2{Grant: "refresh_token", RefreshToken: secret("r0"), ClientID: "relay", ClientSecret: secret("s")},
			map[string]string{"grant_type": "refresh_token", "refresh_token": "r0"},
		},
		{
			"assertion",
			config.OAuth2{Grant: "jwt_bearer", Assertion: assertion},
			map[string]string{"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_id": ""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(t, func(w http.ResponseWriter, _ url.Values, _ string, _ int) {
				_, _ = io.WriteString(w, `{"access_token":"T1"}`)
			})
			if shown, err := e.client(t, test.grant, nil)(); err != nil || shown != "Bearer T1" {
				t.Fatalf("%q, %v", shown, err)
			}
			for name, want := range test.want {
				if got := e.asked[0].Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			if test.grant.Assertion == nil {
				return
			}
			claims := jwt.MapClaims{}
			if _, err := jwt.ParseWithClaims(e.asked[0].Get("assertion"), claims, func(*jwt.Token) (any, error) { return []byte("0123456789"), nil }); err != nil || claims["iss"] != "relay" {
				t.Errorf("assertion %v, %v", claims, err)
			}
		})
	}
}

// An endpoint that gives another refresh token takes the one before no more.
func TestARotatedRefreshTokenOutlastsTheProcess(t *testing.T) {
	valid := "r0"
	e := newEndpoint(t, func(w http.ResponseWriter, form url.Values, _ string, n int) {
		if form.Get("refresh_token") != valid {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		valid = fmt.Sprintf("r%d", n)
		_, _ = fmt.Fprintf(w, `{"access_token":"T%d","expires_in":0.0000001,"refresh_token":%q}`, n, valid)
	})
	k := &keeper{data: map[string][]byte{}}
	grant := config.OAuth2{Grant: "refresh_token", RefreshToken: config.NewSecret("r0"), ClientID: "relay", ClientSecret: config.NewSecret("s"), AuthStyle: "basic"}
	for i := range 3 { // processes
		send := e.client(t, grant, k)
		for range 2 {
			if shown, err := send(); err != nil {
				t.Fatalf("process %d: %q, %v", i+1, shown, err)
			}
		}
	}
	send := e.client(t, grant, k)
	k.fail = true
	if shown, err := send(); err == nil || shown != "" {
		t.Errorf("a token is used whose successor is lost with the process: %q, %v", shown, err)
	}
	k.fail = false
	if _, err := send(); err != nil {
		t.Errorf("once the disk has room: %v", err)
	}
	grant.RefreshToken, valid = config.NewSecret("new"), "new"
	if _, err := e.client(t, grant, k)(); err != nil {
		t.Errorf("another one in the file: %v", err)
	}
}

func TestStateNamesAreShortEnough(t *testing.T) {
	long := strings.Repeat("x", 63)
	if a, b := StateName("oauth2", long+"a"), StateName("oauth2", long+"b"); a == b || len(a) > 64 {
		t.Errorf("%s and %s", a, b)
	}
	if got := StateName("oauth2", "crm"); got != "oauth2-crm" {
		t.Error(got)
	}
}
