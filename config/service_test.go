package config

import (
	"reflect"
	"testing"
	"time"
)

func TestDefaultsMergeIntoServices(t *testing.T) {
	c, problems := load(t, `
[defaults]
group = "shared"
timeout = "5s"
headers = { X-A = "1", X-B = "2" }
auth.bearer = "default"
retry_schedule = ["1s", "2s"]
[defaults.breaker]
failures = 7
window = "1m"
[defaults.tls]
server_name = "shared.example.com"
min_version = "1.3"
[defaults.soap]
version = "1.2"
namespace = "urn:shared"

[[service]]
name = "plain"
url = "https://plain.example.com/"

[[service]]
name = "own"
url = "https://own.example.com/"
type = "soap"
group = ""
timeout = "30s"
headers = { X-C = "3" }
auth.basic = { user = "u", password = "p" }
retry_schedule = ["9s"]
breaker.failures = 3
tls.server_name = "own.example.com"
soap.operation = "Record"
`)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	plain, own := c.Services[0], c.Services[1]
	for _, test := range []struct {
		name      string
		got, want any
	}{
		{"plain group", plain.Group, "shared"},
		{"plain timeout", plain.Timeout, 5 * time.Second},
		{"plain headers", plain.Headers, []Field{{Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"}}},
		{"plain bearer", plain.Auth.Bearer.Value(), "default"},
		{"plain failures", plain.Breaker.Failures, 7},
		{"connections are kept", plain.KeepAlive, true},
		{"times need a zone", plain.Timezone != nil && c.Intake.Timezone != nil, true},
		{"plain ratio", plain.Breaker.Ratio, 0.5},
		{"plain retry_on", plain.RetryOn.String(), "3xx, 401, 403, 404, 407, 408, 425, 429, 5xx"},
		{"plain tls", *plain.TLS, TLS{ServerName: "shared.example.com", MinVersion: "1.3"}},
		{"plain soap", plain.SOAP, (*SOAP)(nil)},
		{"own group", own.Group, ""},
		{"own timeout", own.Timeout, 30 * time.Second},
		{"own headers replace", own.Headers, []Field{{Name: "X-C", Value: "3"}}},
		{"own auth replaces", own.Auth.Bearer.Set(), false},
		{"own schedule replaces", own.RetrySchedule, []time.Duration{9 * time.Second}},
		{"own failures", own.Breaker.Failures, 3},
		{"own window is shared", own.Breaker.Window, time.Minute},
		{"own tls is merged", *own.TLS, TLS{ServerName: "own.example.com", MinVersion: "1.3"}},
		{"own soap is merged", *own.SOAP, SOAP{Version: "1.2", Style: "document", Operation: "Record", Namespace: "urn:shared", Unreadable: "delivered"}},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, test.got, test.want)
		}
	}
}

func TestServiceKeepsTheOrderOfFields(t *testing.T) {
	c, problems := load(t, `
[[service]]
name = "a"
url = "http://127.0.0.1/"
query = { z = "1", a = 2, m = true }
[service.params]
zulu = "1"
alpha = 1.5
"mike.x" = ""
[[binding]]
event = "x"
account = 4711
where = { z.y = "1", a = [2, true, "x"] }
service = "a"
`)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	s, b := c.Services[0], c.Bindings[0]
	if want := []Field{{Name: "z", Value: "1"}, {Name: "a", Value: "2"}, {Name: "m", Value: "true"}}; !reflect.DeepEqual(s.Query, want) {
		t.Errorf("query = %v, want %v", s.Query, want)
	}
	if want := []Field{{Name: "zulu", Value: "1"}, {Name: "alpha", Value: "1.5"}, {Name: "mike.x", Value: ""}}; !reflect.DeepEqual(s.Params, want) {
		t.Errorf("params = %v, want %v", s.Params, want)
	}
	if want := []Where{{"z.y", []string{"1"}}, {"a", []string{"2", "true", "x"}}}; !reflect.DeepEqual(b.Where, want) {
		t.Errorf("where = %v, want %v", b.Where, want)
	}
	if b.ScopeKind != "account" || !reflect.DeepEqual(b.Scopes, []string{"4711"}) {
		t.Errorf("scope = %s %v, want account [4711]", b.ScopeKind, b.Scopes)
	}
}

func TestServiceBodyIsTheOneGiven(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "json = \"\"": "json", "xml = \"<a/>\"": "xml", "text = \"x\"": "text", "params = {}": "params", "[service.params]\na = \"b\"": "params",
	} {
		c, problems := load(t, service+text)
		if len(problems) > 0 {
			t.Errorf("%q: %v", text, lines(problems))
		}
		if got := c.Services[0].Body; got != want {
			t.Errorf("body of %q = %q, want %q", text, got, want)
		}
	}
}

func TestEveryAuthSaysWhichHeaderItSets(t *testing.T) {
	for field := range reflect.TypeFor[Auth]().Fields() {
		if set := field.Tag.Get("sets"); set != "Authorization" && set != "own" && set != "none" {
			t.Errorf("%s sets %q, want Authorization, own or none", field.Name, set)
		}
	}
}

func TestAuthSetsItsHeader(t *testing.T) {
	for _, c := range []struct {
		auth Auth
		want string
	}{
		{Auth{}, ""},
		{Auth{Basic: &Basic{User: "u"}}, "Authorization"},
		{Auth{Header: &HeaderAuth{Name: "x-api-key"}}, "X-Api-Key"},
		{Auth{Bearer: NewSecret("x")}, "Authorization"},
		{Auth{OAuth2: &OAuth2{}}, "Authorization"},
		{Auth{JWT: &JWT{Header: "authorization"}}, "Authorization"},
		{Auth{JWT: &JWT{Header: "Authorization", Query: "token"}}, ""},
		{Auth{WSSE: &WSSE{User: "u"}}, ""},
		{Auth{AWS: &AWS{Region: "eu"}}, "Authorization"},
	} {
		if got := c.auth.sets(); got != c.want {
			t.Errorf("%+v sets %q, want %q", c.auth, got, c.want)
		}
	}
}
