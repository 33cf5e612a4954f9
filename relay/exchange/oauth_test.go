package exchange

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"callrelay/config"
)

func TestATokenIsReplacedBeforeItEnds(t *testing.T) {
	var issued atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":1}`, issued.Add(1))
	}))
	defer srv.Close()
	var shown string
	s := newTokenSender(&config.OAuth2{TokenURL: srv.URL}, srv.Client(), SenderFunc(func(_ context.Context, a *Attempt) (Reply, error) {
		shown = a.Header.Get("Authorization")
		return Reply{Status: http.StatusOK}, nil
	}))
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
