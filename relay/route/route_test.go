package route

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/call"
	"callrelay/render"
)

// load reads a relay.toml made of the text, which must be in order.
func load(t testing.TB, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(path)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	c.Path = "relay.toml"
	return c
}

func compile(t testing.TB, text string) (*Table, []string) {
	t.Helper()
	table, errs, warnings := Compile(load(t, text))
	if len(errs) > 0 {
		t.Fatalf("errors: %v", errs)
	}
	return table, texts(warnings)
}

func texts(problems []config.Problem) []string {
	list := make([]string, len(problems))
	for i, p := range problems {
		list[i] = p.String()
	}
	return list
}

func decode(t testing.TB, text string) *call.Event {
	t.Helper()
	events, err := call.Decode([]byte(text), call.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &events[0]
}

// service is the least that defines a service.
func service(name string, more ...string) string {
	return "[[service]]\nname = \"" + name + "\"\nurl = \"http://127.0.0.1:1/" + name + "\"\n" + strings.Join(more, "\n") + "\n"
}

func names(list []*Service) string {
	var b []string
	for _, s := range list {
		b = append(b, s.Name)
	}
	return strings.Join(b, " ")
}

func TestOwed(t *testing.T) {
	table, _ := compile(t, service("a")+service("b")+service("c")+service("off", "active = false")+`
[[binding]]
event = ["post_call", "dequeue"]
service = ["c", "a", "off"]
[[binding]]
event = "post_call"
queue = ["support", "sales", "support"]
service = ["b", "a"]
[[binding]]
event = "post_call"
campaign = "support"
service = "off"
[[binding]]
event = "disposition"
where = { agent_disposition = ["SALE", "CALLBACK"] }
service = "a"
[[binding]]
event = "disposition"
where = { agent_disposition = "SALE", team = ["7", "true"] }
service = ["b", "a"]
[[binding]]
event = "disposition"
queue = "support"
where = { team = "7" }
service = "c"
[[binding]]
event = "disposition"
queue = "always"
service = "c"
`)
	for _, test := range []struct {
		name  string
		event string
		want  string
	}{
		{"any scope", `{"event":"dequeue"}`, "a c"},
		{"any scope, at one nobody names", `{"event":"dequeue","queue":"x"}`, "a c"},
		{"bindings that overlap owe once, in file order", `{"event":"post_call","queue":"support"}`, "a b c"},
		{"another scope of the list", `{"event":"post_call","queue":"sales"}`, "a b c"},
		{"a scope that no binding names", `{"event":"post_call","queue":"Support"}`, "a c"},
		{"the same name at another kind of scope, service inactive", `{"event":"post_call","campaign":"support"}`, "a c"},
		{"a numeric scope", `{"event":"post_call","queue":1}`, "a c"},
		{"unbound event", `{"event":"call_end","queue":"support"}`, ""},
		{"a condition is met", `{"event":"disposition","agent_disposition":"CALLBACK"}`, "a"},
		{"both conditions are met", `{"event":"disposition","agent_disposition":"SALE","team":7}`, "a b"},
		{"a bool is compared as text", `{"event":"disposition","agent_disposition":"SALE","team":true}`, "a b"},
		{"the second condition is not met", `{"event":"disposition","agent_disposition":"SALE","team":"8"}`, "a"},
		{"the second tag is missing", `{"event":"disposition","agent_disposition":"SALE"}`, "a"},
		{"a condition at a scope", `{"event":"disposition","queue":"support","team":"7"}`, "c"},
		{"conditions of any scope hold at a named one", `{"event":"disposition","queue":"support","team":"7","agent_disposition":"SALE"}`, "a b c"},
		{"always and a condition", `{"event":"disposition","queue":"always","agent_disposition":"SALE"}`, "a c"},
		{"no condition is met", `{"event":"disposition","agent_disposition":"sale"}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := decode(t, test.event)
			for range 2 { // a look-up must not spoil the table
				if got := names(table.Owed(e)); got != test.want {
					t.Errorf("owed to %q, want %q", got, test.want)
				}
			}
		})
	}
}

func TestTableNamesServices(t *testing.T) {
	table, _ := compile(t, service("a")+service("b", `json = '{"u":"#recording_url#","s":"#sess_agent_perspective_recording_url#"}'`)+
		service("c", `text = "#recording_state#"`))
	if table.Service("b").Index != 1 || table.Service("nobody") != nil || len(table.Services()) != 3 {
		t.Error("services are not found by name and in order")
	}
	for i, want := range [][2]bool{{false, false}, {true, true}, {true, false}} {
		s := table.Services()[i]
		if s.UsesRecording != want[0] || s.UsesAgentRecording != want[1] {
			t.Errorf("service %s uses recordings: %v %v, want %v", s.Name, s.UsesRecording, s.UsesAgentRecording, want)
		}
	}
	if got, want := table.Service("a").Endpoint, "http://127.0.0.1:1/a"; got != want {
		t.Errorf("endpoint = %q, want %q", got, want)
	}
}

func TestCompileReportsTemplates(t *testing.T) {
	table, errs, _ := Compile(load(t, service("a", `json = '{"n": #duration }'`, "headers = { X-A = \"#ani|shout#\" }")+
		service("b")+service("c", `json = '{"n" 1}'`)))
	if table != nil || len(errs) != 3 {
		t.Fatalf("table %v, errors %v, want no table and three errors", table, texts(errs))
	}
	for i, want := range []string{`relay.toml:4: service "a": json: 1:`, `relay.toml:5: service "a": headers.X-A: `, `relay.toml:13: service "c": json: 1:`} {
		if !strings.HasPrefix(errs[i].String(), want) {
			t.Errorf("error %d = %q, want %q…", i, errs[i], want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		name string
		toml string
		want []string
	}{
		{"nothing to warn of", service("a", `json = '{"a":"#script.consent#","b":"#ani#"}'`) + bound("post_call", "a"), nil},
		{
			"unknown event with a near one", service("a") + bound("agent_terminaton", "a"),
			[]string{`relay.toml:6: binding 1: event: "agent_terminaton" is not a known event (nearest: agent_termination)`},
		},
		{
			"unknown event", service("a") + bound("invoice_paid", "a"),
			[]string{`relay.toml:6: binding 1: event: "invoice_paid" is not a known event`},
		},
		{"an event of the relay's own", service("a") + bound("relay_dead_letter", "a"), nil},
		{"tags of the relay's own events", service("a", `text = "#service# #reason# #count# #at#"`) + bound("relay_dead_letter", "a", `where = { service = "crm" }`), nil},
		{
			"tags of the relay's own events elsewhere", service("a", `text = "#reason#"`) + bound("post_call", "a"),
			nil,
		},
		{
			"tags without an end",
			service("a", `params = { id = "#agent_id", ok = "##agent_id is no. #1", colour = "#fff" }`+"\n"+`query = { q = "#queue#&c=#campaign" }`) + bound("post_call", "a"),
			[]string{
				`relay.toml:4: service "a": params.id: #agent_id has no # at its end, so it is no tag`,
				`relay.toml:5: service "a": query.q: #campaign has no # at its end, so it is no tag`,
			},
		},
		{
			"unknown tag with a near one", service("a", `json = '{"a":"#agnt_id#","b":"#agnt_id#"}'`) + bound("post_call", "a"),
			[]string{`relay.toml:4: service "a": json: tag "agnt_id" is not in the vocabulary (nearest: agent_id); it is empty unless the events bring it`},
		},
		{
			"tags of one's own", service("a", `text = "#customer_code# #crm.key#"`) + bound("post_call", "a"),
			nil,
		},
		{
			"nothing binds a service", service("a"),
			[]string{`relay.toml:2: service "a": name: no binding names this service: it is sent nothing`},
		},
		{
			"agent perspective is off", service("a", `text = "#sess_agent_perspective_recording_url#"`) + bound("post_call", "a") + "[recordings]\naccess = \"anonymous\"\nkeys = [{id=\"k\", secret=\"01234567890123456789012345678901\"}]\n",
			[]string{`relay.toml:4: service "a": text: #sess_agent_perspective_recording_url# is empty: recordings.agent_perspective is not on`},
		},
		{
			"no recordings at all", service("a", `text = "#recording_url#"`) + bound("post_call", "a"),
			[]string{`relay.toml:4: service "a": text: there is no [recordings]: links are empty and the state is none`},
		},
		{
			"a condition on what is not known yet", service("a") + bound("post_call", "a", `where = { attempt = "2" }`),
			[]string{`relay.toml:8: binding 1: where.attempt: never matches: bindings are settled when an event is accepted, #attempt# is made for each attempt`},
		},
		{
			"a condition against the scope", service("a") + bound("post_call", "a", `queue = "x"`, `where = { queue = "y" }`),
			[]string{`relay.toml:9: binding 1: where.queue: never matches: the binding is for the queue x`},
		},
		{
			"a condition on another scope", service("a") + bound("post_call", "a", `queue = "x"`, `where = { campaign = "y" }`),
			[]string{`relay.toml:9: binding 1: where.campaign: never matches: an event of a queue has no campaign`},
		},
		{
			"a condition against the event", service("a") + bound("post_call", "a", `where = { event = "dequeue" }`),
			[]string{`relay.toml:8: binding 1: where.event: never matches: the binding is for post_call`},
		},
		{
			"a condition on a mistyped tag", service("a") + bound("post_call", "a", `where = { agnt_team = "y" }`),
			[]string{`relay.toml:8: binding 1: where.agnt_team: tag "agnt_team" is not in the vocabulary (nearest: agent_team); it is empty unless the events bring it`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, got := compile(t, test.toml)
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(test.want, "\n     "))
			}
		})
	}
}

// bound is a binding of one event to one service.
func bound(event, service string, more ...string) string {
	return "[[binding]]\nevent = \"" + event + "\"\nservice = \"" + service + "\"\n" + strings.Join(more, "\n") + "\n"
}

// manyServices are services with a binding each, by disposition.
func manyServices(n int) string {
	var b strings.Builder
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		b.WriteString(service(name) + bound("disposition", name, fmt.Sprintf("where = { agent_disposition = \"D%d\" }", i)))
	}
	return b.String()
}

func TestOwedOfManyServices(t *testing.T) {
	table, _ := compile(t, manyServices(1000))
	if got := names(table.Owed(decode(t, `{"event":"disposition","agent_disposition":"D777"}`))); got != "s777" {
		t.Errorf("owed to %q, want s777", got)
	}
}

func BenchmarkOwed(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("services=%d", n), func(b *testing.B) {
			table, _ := compile(b, manyServices(n))
			e := decode(b, `{"event":"disposition","queue":"support","uii":"1","ani":"2","agent_disposition":"D0"}`)
			b.ReportAllocs()
			for b.Loop() {
				table.Owed(e)
			}
		})
	}
}

// TestListsAgree holds together what config, render and call each have to know
// and may not ask each other for.
func TestListsAgree(t *testing.T) {
	if got, want := config.ScopeKinds(), call.ScopeKinds(); !slices.Equal(got, want) {
		t.Errorf("a binding may name the scopes %v, an event has %v", got, want)
	}
	if got, want := config.BodyKinds(), render.BodyKinds(); !slices.Equal(got, want) {
		t.Errorf("a service may have the bodies %v, templates are %v", got, want)
	}
}

// TestEveryBodyIsSent finds a kind of body whose text does not reach its template.
func TestEveryBodyIsSent(t *testing.T) {
	for _, kind := range config.BodyKinds() {
		value := `"""<a>#uii#</a>"""`
		switch kind {
		case "json":
			value = `'"#uii#"'`
		case "params", "multipart":
			value = `{ a = "#uii#" }`
		case "file":
			value = `"#recording_file#"`
		}
		table, _ := compile(t, service("a", kind+" = "+value)+bound("call_end", "a"))
		req, err := table.Service("a").Template.Render(decode(t, `{"event":"call_end","uii":"u-1","recording_file":"a.wav"}`).Lookup, time.Now())
		if err != nil || !strings.Contains(string(req.Body), "u-1") && len(req.Files) == 0 {
			t.Errorf("a %s body is sent as %q (%v)", kind, req.Body, err)
		}
	}
}

func TestEventsThatTheRelayNeverRaises(t *testing.T) {
	_, errs, _ := Compile(load(t, service("a")+"[[binding]]\nevent = [\"call_end\",\n\"relay_dead_leter\"]\nservice = \"a\"\n"))
	const want = `relay.toml:7: binding 1: event 2: "relay_dead_leter" is not raised by the relay (nearest: relay_dead_letter) (allowed: `
	if len(errs) != 1 || !strings.HasPrefix(errs[0].String(), want) {
		t.Errorf("problems = %v, want one that begins with %s", errs, want)
	}
}

func TestNearestFilter(t *testing.T) {
	_, errs, _ := Compile(load(t, service("a", `text = "#uii|uper#"`)))
	if len(errs) != 1 || !strings.Contains(errs[0].String(), `filter "uper" is not known`) || !strings.Contains(errs[0].String(), "(nearest: upper)") {
		t.Errorf("problems = %v", errs)
	}
}
