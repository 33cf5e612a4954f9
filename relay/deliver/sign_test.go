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

func TestSignaturesPassTheEcosystemsLibrary(t *testing.T) {
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

func TestWebhookID(t *testing.T) {
	for _, test := range []struct{ id, want string }{
		{"202004220000000000000000000001/agent_termination/1/0123456789abcdef", "202004220000000000000000000001/agent_termination/1/0123456789abcdef"},
		{"a.b:c", "a=2Eb=3Ac"},
		{"a=2Eb", "a=3D2Eb"},
		{"ü €", "=C3=BC=20=E2=82=AC"},
		{"a\r\nX-Evil: 1", "a=0D=0AX-Evil=3A=201"},
		{"", ""},
	} {
		got := webhookID(test.id)
		if got != test.want {
			t.Errorf("webhookID(%q) = %q, want %q", test.id, got, test.want)
		}
		if strings.ContainsAny(got, "\r\n :") {
			t.Errorf("webhookID(%q) = %q is no header value", test.id, got)
		}
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

func FuzzWebhookID(f *testing.F) {
	for _, seed := range []string{"a", "", "=41", "\x00\xff", "ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		h := http.Header{"Webhook-Id": {webhookID(id)}}
		var back []byte
		for text := h.Get("Webhook-Id"); text != ""; {
			var c byte
			if text[0] != '=' {
				c, text = text[0], text[1:]
			} else if _, err := fmt.Sscanf(text[1:3], "%02X", &c); err == nil {
				text = text[3:]
			}
			back = append(back, c)
		}
		if string(back) != id {
			t.Errorf("%q reads back as %q", id, back)
		}
	})
}
