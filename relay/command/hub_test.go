package command

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"callrelay/queue/queuetest"
)

// startHub starts the hub of the example in this process, without TLS, and returns
// a configuration's [queue.hub] for each of its users.
func startHub(t *testing.T) func(user, domain string) string {
	t.Helper()
	text, err := os.ReadFile("../../scripts/examples/hub/nats-server.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "hub.conf")
	writeFile(t, path, strings.NewReplacer(
		"tls { cert_file: $HUB_CERT, key_file: $HUB_KEY }", "", "$HUB_DIR", `"`+dir+`"`,
		"$HUB_OPERATOR", "of_operator", "$HUB_BERLIN", "of_berlin", "$HUB_PARIS", "of_paris",
	).Replace(string(text)))
	o, err := natsserver.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.DontListen = true, true
	o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", natsserver.RANDOM_PORT
	ns, err := natsserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(patience) {
		t.Fatal("the hub is not ready")
	}
	v, err := ns.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(user, domain string) string {
		return fmt.Sprintf("[queue.hub]\nurls = [\"nats-leaf://127.0.0.1:%d\"]\ncredentials = \"%s:of_%[2]s\"\ndomain = %[3]q\n", v.LeafNode.Port, user, domain)
	}
}

// TestTheHubsOperator looks at an edge, has it replay what died there, and forgets
// it once it is away.
func TestTheHubsOperator(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	hub := startHub(t)
	e := newEndpoint(t)
	e.answer(http.StatusUnprocessableEntity)
	edge := startRelay(t, configFor("crm", e.URL)+hub("berlin", "berlin"))
	edge.send(`{"event":"agent_termination","agent_id":1,"uii":"c1"}{"event":"agent_termination","agent_id":2,"uii":"c2"}`)
	eventually(t, "two dead letters", func() bool { return edge.service("crm").DeadLetters() == 2 })
	eventually(t, "the link", func() bool { return edge.status().Hub.Linked })
	edge.run([]step{{"the edge says where it is linked", "", "status", 0, "hub linked for ", ""}})

	site := &relayUnderTest{t: t, path: writeConfig(t, configFor("crm", e.URL)+hub("operator", "office"))}
	site.run([]step{
		{"nothing is copied yet", "", "dead list --hub", 1, "", "try: relay hub --once"},
		{"the edges that are there", "", "hub --once", 0, "the hub copies from 1 edge: berlin\n", ""},
	})
	eventually(t, "the copies of both", func() bool {
		return strings.Contains(command(t, "", "status", "--hub", "-c", site.path).out, "1 edge, 0 away, 0 waiting, 2 dead letters\n") &&
			strings.Count(command(t, "", "dead", "list", "--hub", "-c", site.path).out, "berlin") == 2
	})
	site.run([]step{
		{"in JSON", "", "status --hub --json", 0, `"name": "berlin"`, ""},
		{"letters in JSON", "", "dead list --hub berlin --json --call c1", 0, `{"edge":"berlin","seq":`, ""},
		{"of one edge, that has none such", "", "dead list --hub=berlin --call c3", 0, "no dead letter matches\n", ""},
		{"no more than so many", "", "dead list --hub --limit 1", 0, "\n        status 422\n", ""},
		{"all of them, but not by accident", "", "dead replay --hub berlin", 2, "", "try: --all"},
		{"a time that is none", "", "dead list --hub --since soon", 2, "", "neither a time nor a span"},
		{"how many", "", "dead replay --hub berlin --all --dry-run", 0, "edge berlin would have replayed 2 dead letters\n", ""},
		{"for an edge there is not", "", "dead replay --hub oslo --all --dry-run", 1, "", "edge \"oslo\": not found (known: berlin)\ntry: relay status --hub"},
		{"nor without --dry-run", "", "dead replay --hub oslo --all", 1, "", "edge \"oslo\": not found (known: berlin)"},
		{"nor to forget", "", "hub forget oslo", 1, "", "edge \"oslo\": not found (known: berlin)"},
		{"of a service there is not", "", "dead list --hub --service crn", 1, "", "service \"crn\": not found (known: crm)"},
		{"nor to replay", "", "dead replay --hub berlin --service crn", 1, "", "service \"crn\": not found (known: crm)"},
		{"what is linked is not forgotten", "", "hub forget berlin", 1, "", "edge berlin is linked, and had no folder or name before"},
	})
	e.answer(http.StatusOK)
	site.run([]step{{"replayed there", "", "dead replay --hub berlin --all", 0, "edge berlin replayed 2 dead letters\n", ""}})
	eventually(t, "both deliveries", func() bool { return len(e.taken()) == 2 })

	ctx, stop := context.WithCancel(t.Context())
	kept := make(chan result, 1)
	go func() { kept <- commandCtx(ctx, "", "hub", "-c", site.path) }()
	if err := edge.stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the edge is away", func() bool {
		return strings.Contains(command(t, "", "status", "--hub", "-c", site.path).out, "away since ")
	})
	stop()
	if got := <-kept; got.status != 0 {
		t.Errorf("relay hub: %+v", got)
	}
	site.run([]step{
		{"who is away does nothing", "", "dead replay --hub berlin --all", 1, "", "only the edge itself can replay"},
		{"forgotten", "", "hub forget berlin", 0, "forgot 1 folder of edge berlin\n", ""},
		{"nobody is left", "", "status --hub", 0, "0 edges, ", ""},
	})
}

// TestAHubThatIsAway says where it was looked for.
func TestAHubThatIsAway(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, idleConfig+"[queue.hub]\nurls = [\"nats-leaf://127.0.0.1:1\"]\ncredentials = \"a:b\"\ndomain = \"x\"\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if got := commandCtx(ctx, "", "status", "--hub", "-c", path); got.status != 1 || !strings.Contains(got.err, "try: [queue.hub] urls") {
		t.Errorf("%+v", got)
	}
}
