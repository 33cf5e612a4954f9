package command

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"callrelay/queue/queuetest"
)

// TestAQueueIsMovedIntoAClusterAndBack takes what is owed along both times.
func TestAQueueIsMovedIntoAClusterAndBack(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	e := newEndpoint(t)
	e.answer(http.StatusUnprocessableEntity)
	r := startRelay(t, strings.Replace(configFor("crm", e.URL), `"50ms"`, `"1h"`, 1))
	r.send(`{"event":"agent_termination","agent_id":1}`)
	eventually(t, "a dead letter", func() bool { return r.service("crm").DeadLetters() == 1 })
	e.answer(http.StatusServiceUnavailable)
	r.send(`{"event":"agent_termination","agent_id":2}{"event":"agent_termination","agent_id":3}`)
	eventually(t, "two that wait", func() bool { return r.service("crm").Owed() == 2 })

	embedded, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, r.path, queuetest.Server(t, r.path).Configure(string(embedded)))
	r.run([]step{{"not while it runs", "", "move --to cluster", 1, "", "try: stop the relay"}})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.run([]step{
		{"into the cluster", "", "move --to cluster", 0, "moved 2 deliveries, ", ""},
		{"all of it was moved", "", "move --to cluster", 0, "moved 0 deliveries, 0 waiting for another attempt, and 0 dead letters\nnext: relay run: its queue is the cluster\n", ""},
		{"and back", "", "move --to embedded", 0, "and 1 dead letter\nnext: take servers out of [queue], then relay run\n", ""},
	})
	e.answer(http.StatusOK)
	writeFile(t, r.path, string(embedded))
	r.start()
	r.run([]step{{"the endpoint takes them", "", "probe crm", 0, "probing crm\n", ""}})
	eventually(t, "both deliveries", func() bool { return len(e.taken()) == 2 })

	writeFile(t, r.path, "nonsense")
	r.run([]step{{"not by a file with problems", "", "move --to cluster", 1, "", "try: relay check -c " + r.path}})
}
