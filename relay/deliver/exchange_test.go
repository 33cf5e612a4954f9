package deliver

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestABlockedEndpointIsRetriedAndSaysWhy(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	r := rigged(t, service("crm", rc.URL, "allow_private = false"))
	r.owe("crm", "a")
	r.until("the attempt is counted", func() bool { v, _ := r.metric(`relay_attempts_total{class="blocked",service="crm"}`); return v == 1 })
	if rc.count() != 0 {
		t.Error("the endpoint was called")
	}
	r.until("the error shows", func() bool { return strings.Contains(r.status("crm").LastError, "loopback (allow_private = false)") })
	if n := len(r.letters("crm")); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newReceiver(t)
	rc := newReceiver(t)
	rc.respond(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/new?token=secret", http.StatusTemporaryRedirect)
	})
	r := rigged(t, service("crm", rc.URL, ""))
	r.owe("crm", "a")
	r.until("the attempt is counted", func() bool { v, _ := r.metric(`relay_attempts_total{class="3xx",service="crm"}`); return v == 1 })
	if elsewhere.count() != 0 {
		t.Error("the redirect was followed")
	}
	s := r.status("crm")
	if want := "status 307, to " + elsewhere.URL + "/new"; s.LastError != want {
		t.Errorf("error %q, want %q", s.LastError, want)
	}
	if s.LastStatus != 307 || time.Since(s.LastAt) > time.Minute {
		t.Errorf("status = %+v", s)
	}
}

func TestSignaturesPassTheEcosystemsLibrary(t *testing.T) {
	t.Parallel()
	first := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	second := "whsec_" + base64.StdEncoding.EncodeToString([]byte("fedcba9876543210fedcba9876543210"))
	rc := newReceiver(t)
	r := rigged(t, service("crm", rc.URL, fmt.Sprintf("signing = [%q, %q]", first, second)))
	r.owe("crm", "a b@c")
	r.until("it arrives", func() bool { return rc.count() == 1 })
	got := rc.requests()[0]
	for _, secret := range []string{first, second} {
		hook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := hook.Verify([]byte(got.body), got.Header); err != nil {
			t.Errorf("verify: %v", err)
		}
		if err := hook.Verify([]byte(got.body+" "), got.Header); err == nil {
			t.Error("a changed body passes")
		}
	}
	other, _ := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of some length...")))
	if err := other.Verify([]byte(got.body), got.Header); err == nil {
		t.Error("another secret passes")
	}
	if n := len(strings.Fields(got.Header.Get("Webhook-Signature"))); n != 2 {
		t.Errorf("%d signatures, want one for each secret", n)
	}
}

func TestASecretThatCannotSignSendsNothing(t *testing.T) {
	s := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/", "")).Service("crm")
	setup := newSetup(s, environment{recordings: noRecordings{}}, nil)
	setup.unsigned = fmt.Errorf("signing secret 1: not base64")
	a, _, err := setup.prepare(eventOf(t, `{"event":"relay_test","id":"a"}`), 1, testTime)
	if err != nil {
		t.Fatal(err)
	}
	v, _, _ := setup.exchange(t.Context(), a, time.Now())
	if v.outcome != Retry || v.err != "signing secret 1: not base64" {
		t.Errorf("verdict = %+v", v)
	}
}
