package deliver

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/exchange"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// keyrings give a service one secret each, and what an endpoint may tell of it.
var keyrings = []struct{ name, toml, told string }{
	{"basic", "[service.auth]\nbasic = { user = \"u\", password = \"top-secret-<&\\\"1\" }", "top-secret-<&\"1"},
	{"header", "[service.auth]\nheader = { name = \"X-Key\", value = \"top-secret-2\" }", "top-secret-2"},
	{"bearer", "[service.auth]\nbearer = \"top-secret-3\"", "top-secret-3"},
	{"signing", "signing = [\"whsec_dG9wLXNlY3JldC00LXRvcC1zZWNyZXQtNC10b3Atc2VjcmV0\"]", "whsec_dG9wLXNlY3JldC00LXRvcC1zZWNyZXQtNC10b3Atc2VjcmV0"},
}

func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	for _, ring := range keyrings {
		t.Run(ring.name, func(t *testing.T) {
			rc := newReceiver(t)
			rc.respond(func(w http.ResponseWriter, r *http.Request) { // an endpoint that tells all it was told
				w.Header().Set("X-Echo", r.Header.Get("Authorization")+r.Header.Get("X-Key"))
				w.WriteHeader([]int{422, 503}[len(r.Header.Get("Webhook-Id"))%2])
				_ = json.NewEncoder(w).Encode([]any{ring.told, r.Header})
				_, _ = fmt.Fprint(w, strings.Repeat("x", 3700), ring.told, strings.Repeat("x", 6000), ring.told)
			})
			toml := service("crm", rc.URL+"/hook?token=top-secret-6", "debug = true\n"+ring.toml)
			toml = strings.ReplaceAll(toml, `"agent"`, `"link": "https://x/a.wav?exp=1&kid=k1&sig=top-secret-7-abcdefghijklmnop", "agent"`)
			r := rigged(t, toml)
			r.owe("crm", "a", "bb")
			r.until("one is dead and one waits", func() bool {
				return r.status("crm").Retrying == 1 && len(r.letters("crm")) == 1
			})
			var shown strings.Builder
			r.until("both are written down", func() bool {
				shown.Reset()
				n := 0
				for _, stream := range []queue.Stream{queue.Debug, queue.Attempts} {
					records, err := r.queue.History(t.Context(), stream, "crm", 10)
					if err != nil {
						return false
					}
					n += len(records)
					for _, record := range records {
						fmt.Fprintf(&shown, "%s\n", record.Body)
					}
				}
				return n == 4
			})
			if !strings.Contains(shown.String(), masked) {
				t.Errorf("nothing is masked in\n%s", shown.String())
			}
			fmt.Fprintf(&shown, "%s\n", r.log)
			for _, l := range r.letters("crm") {
				fmt.Fprintf(&shown, "%s\n", l.Error)
			}
			s := r.status("crm")
			s.Endpoint = "" // the URL as written
			fmt.Fprintf(&shown, "%+v\n", s)
			fmt.Fprintf(&shown, "%s\n", r.AppendMetrics(nil))
			x, err := r.Test(t.Context(), "crm", eventOf(t, `{"event":"relay_test","id":"t"}`))
			if err != nil {
				t.Fatal(err)
			}
			data, _ := json.Marshal(x)
			fmt.Fprintf(&shown, "%s\n", data)
			for line := range strings.Lines(shown.String()) {
				for _, secret := range []string{"top-secret", "dG9wLXNlY3JldC", "dTp0b3Atc2VjcmV0"} {
					if i := strings.Index(line, secret); i >= 0 {
						t.Errorf("%s shows in …%s…", secret, line[max(0, i-80):min(len(line), i+40)])
					}
				}
			}
		})
	}
}

func TestMaskKnowsEveryForm(t *testing.T) {
	s := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/", "[service.auth]\nbearer = \"a b&c<d>\\\"/é\"")).Service("crm")
	m := newMask(&s.Service)
	for _, text := range []string{
		`a b&c<d>"/é`,
		`a b&c<d>\"\/é`,
		`a b\u0026c\u003Cd\u003e\"/\u00e9`,
		`a b&c<d>\\\"\/\\u00e9`,
		`a b&amp;c&lt;d&gt;&quot;/é`,
		`a&#32;b&#38;c&#x3C;d&#062;&#34;/&#233;`,
		`a+b%26c%3Cd%3E%22%2F%C3%A9`,
		`a%20b&c%3cd%3e%22/%c3%a9`,
		`a%2520b%2526c%253Cd%253E%2522%252F%25C3%25A9`,
	} {
		if got := m.text("before " + text + " after"); got != "before *** after" {
			t.Errorf("mask(%q) = %q", text, got)
		}
	}
	for _, echo := range []string{
		strings.ToUpper("a b&c<d>\"/") + "é", hex.EncodeToString([]byte("a b&c<d>\"/é")), strings.ToUpper(hex.EncodeToString([]byte("a b&c<d>\"/é"))),
		"%61%20%62%26%63%3c%64%3e%22%2f%c3%a9", `\u0061 \u0062&c<d>"/é`,
	} {
		if got := m.text("before " + echo + " after"); got != "before *** after" {
			t.Errorf("mask(%q) = %q", echo, got)
		}
	}
	if got := m.text("sent token-9", "token-9"); got != "sent ***" {
		t.Errorf("a further secret: %q", got)
	}
	for _, test := range []struct{ text, want string }{
		{`https://x/r.wav?exp=1&kid=k1&sig=AbCdEfGhIjKlMnOpQrSt-_12`, `https://x/r.wav?exp=1&kid=k1&sig=***`},
		{`https%3A%2F%2Fx%3Fsig%3DAbCdEfGhIjKlMnOpQrSt`, `https%3A%2F%2Fx%3Fsig%3D***`},
		{`"https://x?exp=1\u0026sig=AbCdEfGhIjKlMnOpQrSt"`, `"https://x?exp=1\u0026sig=***"`},
		{`/a?api_key=abc&b=c`, `/a?api_key=***&b=c`},
		{`/a?x=1&amp;access_token=abc"`, `/a?x=1&amp;access_token=***"`},
		{`<wsse:Password Type="x#PasswordDigest">abc=</wsse:Password>`, `<wsse:Password Type="x#PasswordDigest">***</wsse:Password>`},
		{`a signature is sig=short`, `a signature is sig=short`},
	} {
		if got := m.text(test.text); got != test.want {
			t.Errorf("mask(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

// TestMaskKnowsWhatIsASecretByItsName has an endpoint repeat values that stand in
// the file as they are.
func TestMaskKnowsWhatIsASecretByItsName(t *testing.T) {
	s := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/?api_key=in%2Burl-123&page=one-of-many&token=word",
		`headers = { Ocp-Apim-Subscription-Key = "header-value-1", X-Token = "#agent_id#-of-the-event", X-Account = "an-account" }
query = { access_token = "query-value-1" }`)).Service("crm")
	m := newMask(&s.Service)
	for text, want := range map[string]string{
		"you sent in%2Burl-123":                                  "you sent ***",
		"you sent IN+URL-123":                                    "you sent ***",
		"you sent header-value-1":                                "you sent ***",
		"you sent query-value-1":                                 "you sent ***",
		"you sent 71756572792d76616c75652d31":                    "you sent ***",
		"you sent an-account, one-of-many, a word, of-the-event": "you sent an-account, one-of-many, a word, of-the-event",
	} {
		if got := m.text(text); got != want {
			t.Errorf("mask(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestMaskKnowsBase64 has a secret stand anywhere in what is encoded.
func TestMaskKnowsBase64(t *testing.T) {
	const text = "top-secret-of-a-service"
	m := newMask(&config.Service{Auth: config.Auth{Bearer: config.NewSecret(text)}})
	for before := range 4 {
		for after := range 4 {
			whole := []byte(strings.Repeat("<", before) + text + strings.Repeat("?", after))
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
				got := m.text(encoding.EncodeToString(whole))
				left, _ := encoding.DecodeString(strings.SplitAfter(got, masked)[0][:len(strings.Split(got, masked)[0])/4*4])
				if !strings.Contains(got, masked) || strings.Contains(string(left), "top") || len(got) > len(masked)+16 {
					t.Errorf("%d bytes before, %d after: %q", before, after, got)
				}
			}
		}
	}
}

// TestLongSecretsAreMasked has a key in PEM form echoed, line by line and whole.
func TestLongSecretsAreMasked(t *testing.T) {
	key := "-----BEGIN KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n", 20) + strings.Repeat("x1Y2", 80) + "\n-----END KEY-----"
	m := newMask(&config.Service{Auth: config.Auth{Bearer: config.NewSecret(key)}})
	for _, echo := range []string{key, strings.ReplaceAll(key, "\n", `\n`), strings.ReplaceAll(key, "\n", " ")} {
		if got := m.text(echo); strings.Contains(got, "MIIE") || strings.Contains(got, "x1Y2") {
			t.Errorf("shown: %s", got)
		}
	}
}

func TestSecretFieldsAreMasked(t *testing.T) {
	m := newMask(&config.Service{
		Headers: []config.Field{{Name: "x-zone", Secret: config.NewSecret("hidden-header")}},
		Query:   []config.Field{{Name: "code", Secret: config.NewSecret("hidden-query")}},
	})
	if got := m.headers(exchange.Headers{{Name: "X-Zone", Value: "hidden-header"}}).Get("X-Zone"); got != masked {
		t.Errorf("the header is shown as %q", got)
	}
	if got := m.text("GET /a?code=HIDDEN-QUERY"); got != "GET /a?code="+masked {
		t.Errorf("the query is shown as %q", got)
	}
}

func TestMaskedHeadersSayWhatWasTried(t *testing.T) {
	s := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/", "")).Service("crm")
	got := newMask(&s.Service).headers(exchange.Headers{
		{Name: "Authorization", Value: "Basic dTpw"},
		{Name: "Webhook-Signature", Value: "v1,abc"},
		{Name: "Set-Cookie", Value: "session=1; Path=/"},
		{Name: "X-Account", Value: "7"},
	})
	for name, want := range map[string]string{
		"Authorization": "Basic ***", "Webhook-Signature": "v1,***", "Set-Cookie": "***", "X-Account": "7",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
}
