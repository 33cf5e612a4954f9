package peers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

const (
	clientID     = "relay"
	clientSecret = "s3cret/+ =&"
	tokenLife    = 2 * time.Second
)

// A tokenServer gives tokens that end soon, and keeps count of who asks when.
type tokenServer struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	away     bool
	tokens   map[string]time.Time // their ends
	ends     time.Time            // of the newest token
	asked    int                  // requests
	needless int                  // while the newest token was good for a while longer
	running  int                  // requests now
	together int                  // at most
}

func newTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	s := &tokenServer{t: t, tokens: map[string]time.Time{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP gives a token, after RFC 6749, section 4.4.
func (s *tokenServer) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	s.enter()
	defer s.leave()
	if s.isAway() {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	// The credentials are form-encoded first (section 2.3.1).
	id, secret, _ := q.BasicAuth()
	if q.FormValue("grant_type") != "client_credentials" || q.FormValue("scope") != "calls.write" ||
		id != clientID || secret != "s3cret%2F%2B+%3D%26" {
		s.t.Errorf("token request: user %q, grant %q, scope %q", id, q.FormValue("grant_type"), q.FormValue("scope"))
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": s.issue(), "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()),
	})
}

func (s *tokenServer) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.running++
	s.together = max(s.together, s.running)
	if time.Until(s.ends) > tokenLife/4 { // a fifth is left when the relay asks for the next
		s.needless++
	}
}

func (s *tokenServer) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
}

func (s *tokenServer) isAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

func (s *tokenServer) issue() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := fmt.Sprintf("token-%d", s.asked)
	s.ends = time.Now().Add(tokenLife)
	s.tokens[token] = s.ends
	return token
}

// withdraw makes all tokens worthless.
func (s *tokenServer) withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
	s.ends = time.Time{}
}

func (s *tokenServer) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// accepts reports whether a request shows a token that has not ended.
func (s *tokenServer) accepts(q *http.Request) bool {
	token, _ := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.tokens[token])
}

func (s *tokenServer) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// startWithTokens starts a relay whose service shows tokens to a receiver that
// asks the server about them.
func startWithTokens(t *testing.T, server *tokenServer, more string) (*trial.Relay, *trial.Receiver) {
	t.Helper()
	receiver := trial.NewReceiver(t)
	receiver.Answer(func(w http.ResponseWriter, q *http.Request) {
		if !server.accepts(q) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	r := trial.Start(t, binary, trial.Service("crm", receiver.URL, fmt.Sprintf(`
retry_schedule = ["100ms"]
auth.oauth2 = { token_url = %q, client_id = %q, client_secret = '%s', scopes = ["calls.write"] }
breaker = { open = "200ms", max_open = "200ms" }
%s`, server.URL, clientID, clientSecret, more)))
	return r, receiver
}

// arrivedOnce holds that each event arrived, and arrived once.
func arrivedOnce(t *testing.T, receiver *trial.Receiver, ids []string) {
	t.Helper()
	counts := receiver.Counts()
	for _, id := range ids {
		if counts[id] != 1 {
			t.Errorf("%s arrived %d times, want once", id, counts[id])
		}
	}
}

// TestTokensEndMidRun sends for the life of four tokens. Each is replaced before
// it ends, so none is refused.
func TestTokensEndMidRun(t *testing.T) {
	server := newTokenServer(t)
	r, receiver := startWithTokens(t, server, `rate = "25/s"`)
	ids := r.Accept(trial.Numbered("e", "agent_termination", 200)...)
	settled(r, "crm")
	arrivedOnce(t, receiver, ids)

	if got := receiver.Refused(); got != 0 {
		t.Errorf("the receiver refused %d tokens, want none", got)
	}
	asked := server.requests()
	if server.needless != 0 || server.together != 1 || asked < 4 {
		t.Errorf("got %d token requests, %d needless, %d at once, want 4 or more, none, one", asked, server.needless, server.together)
	}
	t.Logf("200 deliveries in 8 s, tokens of 2 s: %d token requests", asked)
}

// TestTokensAreWithdrawn makes every token worthless while eight attempts run at
// once: they share one new token.
func TestTokensAreWithdrawn(t *testing.T) {
	server := newTokenServer(t)
	r, receiver := startWithTokens(t, server, "")
	ids := r.Accept(trial.Numbered("a", "agent_termination", 50)...)
	settled(r, "crm")
	before := server.requests()
	server.withdraw()
	ids = append(ids, r.Accept(trial.Numbered("b", "agent_termination", 50)...)...)
	settled(r, "crm")
	arrivedOnce(t, receiver, ids)

	if got := server.requests() - before; got > 2 || server.needless != 0 || server.together != 1 {
		t.Errorf("got %d further token requests, %d needless, %d at once, want one (two when it ended as well), none, one", got, server.needless, server.together)
	}
	if retries := r.Metric(`relay_deliveries_total{outcome="retry",service="crm"}`); retries != "0" {
		t.Errorf("got %s retries, want none: the exchange is repeated at once", retries)
	}
}

// TestTokenServerIsAway holds what is owed while there is no token to be had.
func TestTokenServerIsAway(t *testing.T) {
	server := newTokenServer(t)
	server.setAway(true)
	r, receiver := startWithTokens(t, server, "")
	ids := r.Accept(trial.Numbered("e", "agent_termination", 100)...)
	r.Until("the breaker opens", func() bool { return r.Metric(`relay_breaker_state{service="crm"}`) == "2" })
	if got := len(receiver.Arrivals()) + receiver.Refused(); got != 0 {
		t.Errorf("%d requests were made without a token", got)
	}
	if got := server.requests(); got > 20 {
		t.Errorf("got %d token requests for 100 deliveries, want as many as attempts until the breaker opened", got)
	}
	server.setAway(false)
	settled(r, "crm")
	arrivedOnce(t, receiver, ids)
}
