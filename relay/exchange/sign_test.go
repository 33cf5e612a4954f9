package exchange

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestWebhookID(t *testing.T) {
	for _, test := range []struct{ id, want string }{
		{"202004220000000000000000000001/agent_termination/1/0123456789abcdef", "202004220000000000000000000001/agent_termination/1/0123456789abcdef"},
		{"a.b:c", "a=2Eb=3Ac"},
		{"a=2Eb", "a=3D2Eb"},
		{"ü €", "=C3=BC=20=E2=82=AC"},
		{"a\r\nX-Evil: 1", "a=0D=0AX-Evil=3A=201"},
		{"", ""},
	} {
		got := WebhookID(test.id)
		if got != test.want {
			t.Errorf("webhookID(%q) = %q, want %q", test.id, got, test.want)
		}
		if strings.ContainsAny(got, "\r\n :") {
			t.Errorf("webhookID(%q) = %q is no header value", test.id, got)
		}
	}
}

func FuzzWebhookID(f *testing.F) {
	for _, seed := range []string{"a", "", "=41", "\x00\xff", "ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		h := http.Header{"Webhook-Id": {WebhookID(id)}}
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
