package command

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/queue/queuetest"
	"callrelay/relay/web"
)

// operated is a configuration in which something of everything can be seen.
const operated = `
[queue]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
token  = "a token of the tests"
[recordings]
dir    = "recordings"
listen = ""
wait   = "50ms"
keys   = [{ id = "k", secret = "0123456789abcdef0123456789abcdef" }]
[[source]]
name     = "pbx1"
address  = "127.0.0.1:1"
password = "p"
[[source]]
name     = "pbx2"
type     = "freeswitch"
address  = "127.0.0.1:1"
password = "p"
[[service]]
name  = "crm"
url   = "URL/crm?key=1"
debug = true
text  = "#agent_id#"
retry_schedule = ["50ms"]
breaker = { open = "100ms", max_open = "200ms" }
[[service]]
name = "a-service-with-a-long-name"
url  = "URL/links"
json = '{ "recording": "#recording_url#", "state": "#recording_state#" }'
[[binding]]
event = "agent_termination"
queue = "support"
service = ["crm", "a-service-with-a-long-name"]
`

// step is a command given to a running relay.
type step struct {
	name string
	in   string
	args string // behind relay; words with blanks between them
	want int
	out  string // contained in the output
	err  string // contained in the errors
}

// run gives the commands one after the other.
func (r *relayUnderTest) run(steps []step) {
	r.t.Helper()
	for _, s := range steps {
		args := append(strings.Fields(s.args), "-c", r.path)
		got := command(r.t, s.in, args...)
		if got.status != s.want || !strings.Contains(got.out, s.out) || !strings.Contains(got.err, s.err) {
			r.t.Errorf("%s: relay %s: exit %d, out:\n%s\nerr:\n%s\nwant exit %d, out with %q, err with %q",
				s.name, s.args, got.status, got.out, got.err, s.want, s.out, s.err)
		}
	}
}

const conversation = `{"event":"agent_termination","queue":"support","uii":"call-0001","ani":"+15551230001","agent_id":7,"recording":"x.wav","segment_id":"1"}`

// TestAnOperatorsDay gives the commands of a day to one relay: each shows what the
// others have done.
func TestAnOperatorsDay(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	e := newEndpoint(t)
	r := startRelay(t, strings.ReplaceAll(operated, "URL", e.URL))
	r.send(conversation)
	eventually(t, "both deliveries, one without its recording", func() bool { return len(e.taken()) == 2 })
	if got := strings.Join(e.taken(), " "); !strings.Contains(got, `"state": "missing"`) {
		t.Errorf("delivered %s", got)
	}
	day := filepath.Join(t.TempDir(), "backup")
	r.run([]step{
		{"an event that nothing is bound to", `{"event":"call_end","queue":"sales"}`, "send -", 0, "", ""},
		{"an event that is refused", `{"event":"Call End"}`, "send", 1, "", "event 1: event: "},
		{"the second of two", `{"event":"call_end"} {"event":"call_end","queue":"a","campaign":"b"}`, "send", 1, "", "event 2: "},
		{"a record of FreeSWITCH that is none", `{}`, "send --format freeswitch", 1, "", "no uuid"},
		{"a format that is none", "", "send --format xml", 2, "", `format "xml" is not allowed`},
		{"a file that is not there", "", "send /nowhere.json", 1, "", "/nowhere.json"},
		{"what is wrong comes first", "", "status", 0, ", degraded: ", ""},
		{"a source that is away", "", "status", 0, "source pbx1 (asterisk) disconnected", ""},
		{"what no binding matches", "", "status", 0, "1 event matched no binding, the last ", ""},
		{"a long name has a line of its own", "", "status", 0, "\na-service-with-a-long-name\n  ", ""},
		{"the same in JSON", "", "status --json", 0, `"name": "crm"`, ""},
		{"it lives", "", "status --quiet", 0, "", ""},
		{"the exchange that was kept", "", "debug crm", 0, "POST " + e.URL + "/crm?key=1", ""},
		{"none was kept", "", "debug a-service-with-a-long-name", 1, "", "try: debug = true"},
		{"an exchange now", "", "test crm", 0, "delivered after", ""},
		{"one with an event of one's own", conversation, "test crm -e -", 0, "\n\n7\n\n", ""},
		{"one for nobody", "", "test crn", 1, "", `did you mean "crm"?`},
		{"the queue is sound", "", "doctor", 0, "source pbx2  connect: ", ""},
		{"in JSON, a line each", "", "doctor --json", 0, `"level":"warning"`, ""},
		{"contexts for the nats CLI", "", "context", 0, "relay-inspect.json: nats --context relay-inspect stream ls", ""},
		{"contexts to read", "", "context --print", 0, `"password"`, ""},
		{"paused", "", "pause crm --why lunch", 0, "paused crm", ""},
		{"it is held", conversation, "send", 0, "call-0001/", ""},
		{"whom to erase", "", "erase --call call-0001 --dry-run", 0, "would erase ", ""},
		{"a backup", "", "backup " + day, 0, "backed up ", ""},
		{"not into a folder that holds something", "", "backup " + day, 1, "", "try: a new folder"},
		{"erased, by the number", "", "erase --ani 15551230001", 0, "stays: recording \"x.wav\"", ""},
		{"nobody is left", "", "erase --call call-0001", 0, "no record is kept of call-0001", ""},
		{"resumed", "", "resume crm", 0, "resumed crm", ""},
		{"probed", "", "probe crm", 0, "probing crm", ""},
		{"what is configured is not dropped", "", "drop crm", 1, "", "is configured"},
		{"nobody to pause", "", "pause nobody", 1, "", "no such service"},
		{"everything again, but not by accident", "", "replay crm", 2, "", "--all, or --since"},
		{"no letter", "", "dead list", 0, "no dead letters", ""},
		{"no letter in JSON", "", "dead list --json --since 7d", 0, "", ""},
		{"no letter with that number", "", "dead show 99", 1, "", "try: relay dead list"},
		{"none to count", "", "dead drop 99 --dry-run", 1, "", "try: relay dead list"},
		{"nobody to follow", "", "tail crn", 1, "", `no such service: "crn" (did you mean "crm"? known: crm, a-service-with-a-long-name)`},
		{"none to replay", "", "dead replay 99", 1, "", "no dead letter 99"},
		{"a running queue is not moved", "", "move --to cluster", 1, "", "queue.servers names no cluster"},
		{"nor restored", "", "restore " + day, 1, "", ""},
		{"there is no hub", "", "hub --once", 1, "", "has no [queue.hub]"},
	})
	restored(t, day)
}

// restored fills the queue of another relay from a backup, and starts it.
func restored(t *testing.T, backup string) {
	t.Helper()
	e := newEndpoint(t)
	path := writeConfig(t, "")
	config := strings.ReplaceAll(operated, "URL", e.URL)
	writeFile(t, path, config)
	r := &relayUnderTest{t: t, path: path}
	r.run([]step{
		{"no backup there", "", "restore /nowhere", 1, "", "backup /nowhere"},
		{"restored", "", "restore " + backup, 0, "restored ", ""},
		{"not twice", "", "restore " + backup, 1, "", "away"},
		{"the doctor looks by himself", "", "doctor", 0, "does not run", ""},
		{"nobody answers", "", "status", 1, "", "try: relay run"},
		{"in a cluster others do it", "", "status --hub", 1, "", "has no [queue.hub]"},
	})
	writeFile(t, path, strings.Replace(config, "[queue]", "[queue]\nservers = [\"nats://127.0.0.1:1\"]", 1))
	r.run([]step{
		{"a cluster has backups of its own", "", "restore " + backup, 1, "", "nats stream restore"},
		{"and users", "", "context", 1, "", "nats context add"},
	})
}

// TestTailFollowsAttempts stops the command once it has shown one.
func TestTailFollowsAttempts(t *testing.T) {
	e := newEndpoint(t)
	r := startRelay(t, configFor("crm", e.URL))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan result, 1)
	go func() { ended <- commandCtx(ctx, "", "tail", "crm", "-c", r.path) }()
	other := make(chan struct{}, 100)
	go func() { // a second reader says when there is something to see
		_ = r.client.Tail(ctx, "", func(web.Attempt) { other <- struct{}{} })
	}()
	eventually(t, "an attempt that both have seen", func() bool {
		r.send(`{"event":"agent_termination","agent_id":1}`)
		return len(other) > 5
	})
	stop()
	if got := <-ended; got.status != 0 || !strings.Contains(got.out, "crm  delivered  attempt 1") {
		t.Errorf("tail: exit %d, %s%s", got.status, got.out, got.err)
	}
}

// TestLettersOfAServiceThatIsGone lists them, and puts them back for nobody.
func TestLettersOfAServiceThatIsGone(t *testing.T) {
	queuetest.NeedsFolder(t)
	e := newEndpoint(t)
	e.answer(http.StatusUnprocessableEntity)
	r := startRelay(t, configFor("crm", e.URL))
	r.send(`{"event":"agent_termination","agent_id":1,"uii":"c1"}`)
	eventually(t, "a dead letter", func() bool { return r.service("crm").DeadLetters() == 1 })
	r.configure(configFor("qa", e.URL))
	r.run([]step{
		{"reloaded", "", "reload", 0, "reloaded, fingerprint ", ""},
		{"it is gone", "", "status", 0, "crm is no more: 1 dead letter", ""},
		{"its letters are listed", "", "dead list --json", 0, `"service":"crm"`, ""},
		{"its letters alone", "", "dead list --service crm", 0, "rejected", ""},
		{"its letters are counted", "", "dead drop --service crm --dry-run", 0, "would have dropped 1 dead letter", ""},
		{"put back for nobody", "", "dead replay --service crm", 0, "replayed 1 dead letter", "try: configure it again, or relay drop SERVICE"},
	})
	if got := command(t, "", "__complete", "drop", "-c", r.path, ""); !strings.HasPrefix(got.out, "crm\n") {
		t.Errorf("an orphan that may be dropped: %+v", got)
	}
	for _, args := range []string{
		"tail", "debug", "test", "replay --all", "replay --all --dry-run", "probe", "pause", "resume", "drop",
		"dead list --service", "dead list --json --service", "dead list --call c1 --service", "dead replay --service", "dead replay --dry-run --service",
		"dead replay --dry-run --call c1 --service", "dead drop --service", "dead drop --dry-run --service",
	} {
		r.run([]step{{"a service that never was", "", args + " crn", 1, "", "no such service: \"crn\" (did you mean \"crm\"? known: "}})
	}
	r.run([]step{
		{"it is dropped", "", "drop crm", 0, "dropped 1 delivery of crm", ""},
		{"its letters are dropped", "", "dead drop --all", 0, "dropped 1 dead letter", ""},
		{"nothing knows it any more", "", "render crm", 1, "", "no such service: \"crm\" (known: qa)"},
	})
}

// TestContextFilesAreForTheirOwnerAlone looks at their mode: they hold passwords.
func TestContextFilesAreForTheirOwnerAlone(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	path, err := installContext("relay-x", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	var v map[string]any
	if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &v) != nil {
		t.Errorf("read %s, %v", data, err)
	}
}
