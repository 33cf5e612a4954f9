package queue

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// anyRights has the edges' users of a hub do what they like, as a hub might that
// is in wrong hands.
func (h *hubServer) anyRights() {
	h.t.Helper()
	h.stop()
	for _, user := range h.opts.Users {
		user.Permissions = nil
	}
	h.start()
}

// copyRequest asks an edge for a copy of EVENTS.
func copyRequest(t testing.TB, h *hubServer, filters int) string {
	t.Helper()
	subjects := make([]string, filters)
	for i := range subjects {
		subjects[i] = fmt.Sprintf("events.s%d.*", i)
	}
	data, err := json.Marshal(map[string]any{"stream_name": record.Events, "config": map[string]any{
		"name": "x", "deliver_subject": "relay.copy.berlin.x", "filter_subjects": subjects,
	}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.client("operator", "of OPERATOR").Request("$JS.berlin.API.CONSUMER.CREATE.EVENTS.x", data, engine.RequestTimeout)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer.Data)
}

func TestACopyIsNoWayIntoTheStreams(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	h.anyRights()
	q := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	write(t, q, sample("crm", 1))
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 1+0")
	if answer := copyRequest(t, h, 0); strings.Contains(answer, "error") {
		t.Fatal(answer)
	}
	own, flow := q.store.Engine(), "$JS.FC.EVENTS.hub=x.a"
	heard, err := own.NC.SubscribeSync(flow)
	if err != nil {
		t.Fatal(err)
	}
	traced := &nats.Msg{Subject: flow, Header: nats.Header{"Nats-Trace-Dest": {"events.crm.forged"}}}
	eventually(t, "flow control reaches the edge", func() bool {
		if err := own.Hub.PublishMsg(traced); err != nil { // where the hub's messages arrive
			t.Fatal(err)
		}
		m, err := heard.NextMsg(250 * time.Millisecond)
		if err == nil && len(m.Header) > 0 {
			t.Errorf("with the hub's header %v", m.Header)
		}
		return err == nil
	})
	write(t, q, sample("crm", 2))
	if last, err := own.LastSeq(t.Context(), record.Events); last != 2 || err != nil {
		t.Errorf("EVENTS ends at %d and %v, want 2", last, err)
	}
}

func TestACopyHasFewFilters(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 0+0")
	if answer := copyRequest(t, h, 100); strings.Contains(answer, "error") {
		t.Error(answer)
	}
	if answer := copyRequest(t, h, 101); !strings.Contains(answer, "at most") {
		t.Error(answer)
	}
}

func TestAnEdgeCannotSpeakForOthers(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	q := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	write(t, q, sample("crm", 1))
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 1+0")
	keep := func() []string {
		t.Helper()
		names, err := hub.Keep(t.Context(), HubLimits{})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	keep()
	paris := h.leaf("paris", "of PARIS")
	_, err := paris.Subscribe("relay.rollcall", func(m *nats.Msg) {
		for _, name := range []string{"berlin", "*", ">", "a.b", "a b", "", HubDomain, "last"} {
			data, _ := json.Marshal(EdgeReport{Name: name, ID: "0123456789abcdef", Dead: 7})
			_ = paris.Publish(m.Reply, data)
		}
		data, _ := json.Marshal(EdgeReport{Name: "rome", ID: ">"})
		_ = paris.Publish(m.Reply, data)
	})
	if err != nil {
		t.Fatal(err)
	}
	edgesAre(t, hub, "berlin linked 1+0", "last linked 0+7")
	if names := strings.Join(keep(), " "); !strings.Contains(names, "berlin") {
		t.Errorf("the hub copies from %q", names)
	}
	edgesAre(t, hub, "berlin linked 1+0", "last linked 0+7")
}

func TestARollCallEnds(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	hub := h.operator()
	paris := h.leaf("paris", "of PARIS")
	asked := make(chan string, 1)
	if _, err := paris.Subscribe("relay.rollcall", func(m *nats.Msg) { asked <- m.Reply }); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	go func() {
		to := <-asked
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			data, _ := json.Marshal(EdgeReport{Name: fmt.Sprint("e", n), ID: "0"})
			_ = paris.Publish(to, data)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	defer close(stop)
	began := time.Now()
	for edges := []Edge(nil); len(edges) == 0; {
		var err error
		if edges, err = hub.Edges(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("it took %v", took)
	}
}
