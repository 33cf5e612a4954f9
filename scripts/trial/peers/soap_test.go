package peers

import (
	"fmt"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

const (
	soapUser     = "relay"
	soapPassword = `p<w>&"q"`
)

// soapCall is what reached the SOAP server, as it understood it.
type soapCall struct {
	Version, Operation  string
	Args                soapArgs
	Fails               bool
	ContentType, Action string
}

type soapArgs struct {
	CallID    string `json:"callId"`
	Agent     string `json:"agent"`
	CallStart string `json:"callStart"`
	Seconds   any    `json:"seconds"` // a number in the document style; npm's soap leaves rpc arguments as text
}

// soapStyle is one of the four ways to say the same.
type soapStyle struct {
	version, style, operation, path string
	digest                          bool
}

var soapStyles = []soapStyle{
	{"1.1", "document", "RecordCall", "/document", false},
	{"1.1", "rpc", "EndCall", "/rpc", true},
	{"1.2", "document", "RecordCall", "/document", true},
	{"1.2", "rpc", "EndCall", "/rpc", false},
}

func (s soapStyle) name() string { return s.style + "-" + strings.ReplaceAll(s.version, ".", "") }

// service is the style as a service of relay.toml.
func (s soapStyle) service(url string) string {
	return fmt.Sprintf(`
[[service]]
name = %[1]q
type = "soap"
url  = %[2]q
retry_schedule = ["50ms"]
auth.wsse = { user = %[3]q, password = '%[4]s', digest = %[5]v }
[service.soap]
version   = %[6]q
style     = %[7]q
operation = %[8]q
namespace = "urn:example:calls"
action    = "urn:example:calls/%[8]s"
params    = { callId = "#uii#", agent = "#agent_username#", callStart = "#call_start#", seconds = "#duration|number#" }
`, s.name(), url+s.path, soapUser, soapPassword, s.digest, s.version, s.style, s.operation) + trial.Binding(s.name())
}

func TestSOAPServer(t *testing.T) {
	server := startNode[soapCall](t, "soap.js", soapUser, soapPassword)
	var toml strings.Builder
	for _, s := range soapStyles {
		toml.WriteString(s.service(server.Listening[s.version]))
	}
	r := trial.Start(t, binary, toml.String())

	const agent = `O"Neil & <Sons> ]]> Zoë 🎧 'x'`
	event := func(id string) string {
		return fmt.Sprintf(`{"event":"agent_termination","uii":%q,"agent_username":%q,"call_start":"2020-04-22T00:00:00Z","duration":185}`, id, agent)
	}
	r.Accept(event("call-1"), event("server-1"), event("client-1"))
	for _, s := range soapStyles {
		settled(r, s.name())
	}

	r.Until("the server has said what it was called with", func() bool { return len(server.Arrivals()) >= 4*len(soapStyles) })
	calls := server.Arrivals()
	for _, s := range soapStyles {
		t.Run(s.name(), func(t *testing.T) {
			came := "nothing"
			row(t, "npm soap, SOAP "+s.version+" "+s.style+", WS-Security", "3 calls: taken; Server fault, then taken; Client fault with 200", &came)
			s.check(t, calls, agent)
			came = s.came(r)
			s.checkOutcomes(t, r)
		})
	}
}

// check compares what the server understood with what was sent.
func (s soapStyle) check(t *testing.T, calls []soapCall, agent string) {
	t.Helper()
	contentType, action := "text/xml; charset=utf-8", `"urn:example:calls/`+s.operation+`"`
	if s.version == "1.2" {
		contentType, action = "application/soap+xml; charset=utf-8; action="+action, ""
	}
	seconds := map[string]any{"document": 185.0, "rpc": "185"}[s.style]
	seen := map[string]int{}
	for _, c := range calls {
		if c.Version != s.version || c.Operation != s.operation {
			continue
		}
		seen[c.Args.CallID]++
		if want := (soapArgs{c.Args.CallID, agent, "2020-04-22 00:00:00.0000", seconds}); c.Args != want {
			t.Errorf("got %+v, want %+v", c.Args, want)
		}
		if c.ContentType != contentType || c.Action != action {
			t.Errorf("got Content-Type %q, SOAPAction %q, want %q, %q", c.ContentType, c.Action, contentType, action)
		}
	}
	if seen["call-1"] != 1 || seen["server-1"] != 2 || seen["client-1"] != 1 {
		t.Errorf("got %v, want one call, two where the server failed at first, and one that was refused", seen)
	}
}

// came is what the relay counted.
func (s soapStyle) came(r *trial.Relay) string {
	count := func(outcome string) string {
		return r.Metric(fmt.Sprintf(`relay_deliveries_total{outcome=%q,service=%q}`, outcome, s.name()))
	}
	return count("delivered") + " delivered, " + count("retry") + " retried, " + count("dead") + " dead"
}

// checkOutcomes holds that the server's fault was retried, and that the client's,
// although it came with status 200, made a dead letter with the fault's text.
func (s soapStyle) checkOutcomes(t *testing.T, r *trial.Relay) {
	t.Helper()
	for outcome, want := range map[string]string{"delivered": "2", "retry": "1", "dead": "1"} {
		if got := r.Metric(fmt.Sprintf(`relay_deliveries_total{outcome=%q,service=%q}`, outcome, s.name())); got != want {
			t.Errorf("%s: got %s, want %s", outcome, got, want)
		}
	}
	letters, _ := r.Run("dead", "list", "--json", "--service", s.name())
	for _, want := range []string{`"rejected"`, "no such call: client-1", "client-1"} {
		if !strings.Contains(letters, want) {
			t.Errorf("the dead letter lacks %s:\n%s", want, letters)
		}
	}
}
