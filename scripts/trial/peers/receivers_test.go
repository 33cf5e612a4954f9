package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"callrelay/scripts/trial"
)

const (
	hubSecret = "0123456789abcdef0123456789abcdef"
	whSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// taken is a request as a receiver understood it.
type taken struct {
	ID, Text string
	Good     bool // its signature is right, and that of another body is not
}

// receive sends events to a receiver of JSON, and looks at what it made of them.
func receive(t *testing.T, name string, p *peer[taken], path string) {
	t.Helper()
	const n = 40
	came := "nothing"
	row(t, name, fmt.Sprintf("%d events, signed", n), &came)
	r := trial.Start(t, binary, fmt.Sprintf(`
[[service]]
name = "crm"
url  = %q
json = '{"id":"#event_id#","agent":"#agent_username#"}'
retry_schedule = ["50ms"]
signing = [%q]
secrets = { hub = %q }
headers = { X-Hub-Signature-256 = "sha256=#body|hmac:hub#" }
`, p.Listening["url"]+path, whSecret, hubSecret)+trial.Binding("crm"))
	var events []string
	for i := range n {
		events = append(events, fmt.Sprintf(`{"event":"agent_termination","uii":"r-%d","agent_username":%q}`, i, hard))
	}
	ids := r.Accept(events...)
	settled(r, "crm")
	r.Until("the receiver has said what it took", func() bool { return len(p.Arrivals()) >= n })
	counts := map[string]int{}
	for _, a := range p.Arrivals() {
		if counts[a.ID]++; a.Text != hard || !a.Good {
			t.Errorf("got %+v, want %q, well signed", a, hard)
		}
	}
	once := 0
	for _, id := range ids {
		if counts[id] == 1 {
			once++
		}
	}
	came = fmt.Sprintf("%s delivered, %s retried, %s dead; %d arrived once", outcome(r, "delivered"), outcome(r, "retry"), outcome(r, "dead"), once)
	if want := fmt.Sprintf("%d delivered, 0 retried, 0 dead; %d arrived once", n, n); came != want {
		t.Errorf("%s: %s, want %s\n%s", name, came, want, r.Log())
	}
}

func TestPyPIStandardWebhooks(t *testing.T) {
	const name = "PyPI standardwebhooks"
	needs(t, name, "apt install python3", "python3")
	if exec.Command("python3", "-c", "import standardwebhooks").Run() != nil {
		missing(t, name, "pip install standardwebhooks")
	}
	address := trial.FreeAddress(t)
	receive(t, name, startAt[taken](t, address, "python3", "webhooks.py", address, whSecret), "/")
}

func TestFlask(t *testing.T) {
	const name = "Flask, X-Hub-Signature-256"
	needs(t, name, "apt install python3-flask", "python3")
	if exec.Command("python3", "-c", "import flask").Run() != nil {
		missing(t, name, "apt install python3-flask")
	}
	address := trial.FreeAddress(t)
	receive(t, name, startAt[taken](t, address, "python3", "receiver-flask.py", address, hubSecret), "/hook")
}

func TestPHPReceiver(t *testing.T) {
	const name = "PHP, X-Hub-Signature-256"
	needs(t, name, "apt install php-cli", "php")
	t.Setenv("SECRET", hubSecret)
	address := trial.FreeAddress(t)
	receive(t, name, startAt[taken](t, address, "php", "-S", address, "receiver.php"), "/")
}

func TestNodeRED(t *testing.T) {
	const name = "Node-RED, http in"
	program := filepath.Join(modules, "node-red", "red.js")
	if _, err := os.Stat(program); err != nil {
		missing(t, name, "npm install node-red")
	}
	flow, err := filepath.Abs("receiver-node-red.json")
	if err != nil {
		t.Fatal(err)
	}
	folder, address := t.TempDir(), trial.FreeAddress(t)
	settings := filepath.Join(folder, "settings.js")
	text := "module.exports = { uiHost: '127.0.0.1', functionExternalModules: true, credentialSecret: false, telemetry: { enabled: false } };\n"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startAt[taken](t, address, "node", program, "-u", folder, "-s", settings, "-p", address[len("127.0.0.1:"):], flow)
	receive(t, name, p, "/hook")
}
