package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/hub"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// edgesAre waits until the list is as wanted: name, state and what waits.
func edgesAre(t testing.TB, hub *hub.Hub, want ...string) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("got %q, want %q", got, want)
		}
	}()
	eventually(t, "the list of edges is right", func() bool {
		edges, err := hub.Edges(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, e := range edges {
			got = append(got, fmt.Sprintf("%s %s %d+%d", e.Name, e.State, e.Waiting, e.Dead))
		}
		return slices.Equal(got, want)
	})
}

func TestHubListsEdges(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	q := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	open(t, engine.Options{Dir: t.TempDir(), Hub: h.paris()})
	write(t, q, sample("crm", 1), sample("crm", 2))
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 2+0", "paris linked 0+0")
}

// buried gives the first n records of a service up.
func buried(t testing.TB, q *Queue, service string, n int) {
	t.Helper()
	write(t, q, records(service, 0, n)...)
	for _, e := range next(t, q.Lane(service), n) {
		if err := e.Bury(record.Death{Reason: "rejected", Status: 400}); err != nil {
			t.Fatal(err)
		}
	}
}

// lettersAre waits until the hub's list of dead letters is as wanted.
func lettersAre(t testing.TB, hub *hub.Hub, edge string, f record.Filter, want ...string) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("got %q, want %q", got, want)
		}
	}()
	eventually(t, "the list of dead letters is right", func() bool {
		got = nil
		err := hub.Letters(t.Context(), edge, f, func(l EdgeLetter) bool {
			got = append(got, fmt.Sprintf("%s %d %s %s", l.Edge, l.Seq, l.ID, l.Reason))
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Equal(got, want)
	})
}

func TestHubListsAndReplaysDeadLetters(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	q := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	buried(t, q, "crm", 3)
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 0+3")
	if _, err := hub.Keep(t.Context(), HubLimits{Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	lettersAre(t, hub, "", record.Filter{}, "berlin 1 crm-0 rejected", "berlin 2 crm-1 rejected", "berlin 3 crm-2 rejected")
	n, err := hub.Replay(t.Context(), "berlin", record.Filter{Seqs: []uint64{2}}, func(int) {})
	if err != nil || n != 1 {
		t.Fatalf("replayed %d and %v, want 1", n, err)
	}
	if e := next(t, q.Lane("crm"), 1)[0]; e.ID != "crm-1" || !e.Replayed {
		t.Errorf("got %+v, want crm-1 replayed", e)
	}
	lettersAre(t, hub, "berlin", record.Filter{}, "berlin 1 crm-0 rejected", "berlin 3 crm-2 rejected")
	lettersAre(t, hub, "berlin", record.Filter{Service: "crm", ID: "crm-2"}, "berlin 3 crm-2 rejected")
}

func TestEdgeWorksWithoutItsHub(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	wrong := h.edge("berlin", "a wrong one")
	h.stop()
	for _, test := range []struct {
		name string
		hub  func()
		why  string
	}{
		{"away", func() {}, "connection refused"},
		{"does not know it", h.start, "Authorization Violation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.hub()
			q := open(t, engine.Options{Dir: t.TempDir(), Hub: wrong})
			write(t, q, sample("crm", 1))
			next(t, q.Lane("crm"), 1)
			eventually(t, "the reason is known", func() bool {
				s, ok := q.HubState()
				return ok && !s.Linked && strings.Contains(s.Why, test.why)
			})
			if err := q.Health(); err != nil {
				t.Errorf("health: %v", err)
			}
		})
	}
}

func TestHubMayOnlyCopyAndReplay(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	q := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	buried(t, q, "crm", 1)
	l := q.Lane("crm")
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 0+1")
	before := streamsOf(t, q)
	operator := h.client("operator", "of OPERATOR")
	for subject, body := range map[string]string{
		"events.crm.post_call":                                 `{"forged":true}`,
		"retry.crm":                                            `{"forged":true}`,
		"$JS.API.STREAM.PURGE.DEAD":                            ``,
		"$JS.berlin.API.STREAM.PURGE.DEAD":                     ``,
		"$JS.berlin.API.STREAM.DELETE.EVENTS":                  ``,
		"$JS.berlin.API.STREAM.UPDATE.EVENTS":                  `{"name":"EVENTS","subjects":["x"]}`,
		"$JS.berlin.API.STREAM.MSG.DELETE.DEAD":                `{"seq":1}`,
		"$JS.berlin.API.STREAM.INFO.DEBUG":                     ``,
		"$JS.berlin.API.STREAM.LIST":                           ``,
		"$JS.berlin.API.CONSUMER.CREATE.RETRY.x":               `{"stream_name":"RETRY","config":{"name":"x","deliver_subject":"relay.copy.berlin.x"}}`,
		"$JS.berlin.API.CONSUMER.CREATE.EVENTS.crm":            `{"stream_name":"EVENTS","config":{"name":"crm","durable_name":"crm","deliver_subject":"retry.crm"}}`,
		"$JS.berlin.API.CONSUMER.DELETE.EVENTS.crm":            ``,
		"$JS.berlin.API.CONSUMER.DURABLE.CREATE.EVENTS.crm":    `{"stream_name":"EVENTS","config":{"durable_name":"crm"}}`,
		"$JS.berlin.API.CONSUMER.MSG.NEXT.EVENTS.crm":          ``,
		"$JS.berlin.API.CONSUMER.CREATE.EVENTS.hub=x.events.*": `not json`,
		"relay.ask.berlin.replay":                              `not json`,
	} {
		m, err := operator.Request(subject, []byte(body), 200*time.Millisecond)
		if err == nil && !strings.Contains(string(m.Data), "error") && !strings.Contains(string(m.Data), "failed") {
			t.Errorf("%s was answered with %s", subject, m.Data)
		}
	}
	if after := streamsOf(t, q); after != before {
		t.Errorf("streams are %s, were %s", after, before)
	}
	none(t, l)
	write(t, q, sample("crm", 7))
	if e := next(t, l, 1)[0]; e.ID != "crm-7" {
		t.Errorf("got %s, want crm-7", e.ID)
	}
}

// streamsOf says what the streams of a queue hold, and which consumers.
func streamsOf(t testing.TB, q *Queue) string {
	t.Helper()
	eng, text := q.store.Engine(), ""
	for _, name := range []string{record.Events, record.Retry, record.Dead, record.Attempts, record.Debug} {
		s, err := eng.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		info := s.CachedInfo()
		text += fmt.Sprintf("%s %v %d %d %d; ", name, info.Config.Subjects, info.State.Msgs, info.State.LastSeq, info.State.Consumers)
	}
	return text
}

func TestHubNoticesWhatBecameOfAnEdge(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	hub := h.operator()
	keep := func() {
		t.Helper()
		if _, err := hub.Keep(t.Context(), HubLimits{}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir, Hub: h.berlin()})
	buried(t, q, "crm", 2)
	edgesAre(t, hub, "berlin linked 0+2")
	keep()
	lettersAre(t, hub, "berlin", record.Filter{}, "berlin 1 crm-0 rejected", "berlin 2 crm-1 rejected")

	shut(t, q)
	edgesAre(t, hub, "berlin away 0+2")
	lettersAre(t, hub, "berlin", record.Filter{}, "berlin 1 crm-0 rejected", "berlin 2 crm-1 rejected")
	if _, err := hub.Replay(t.Context(), "berlin", record.Filter{}, func(int) {}); !errors.Is(err, ErrAway) {
		t.Errorf("replay of an edge that is away: %v, want %v", err, ErrAway)
	}

	rebuilt := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	edgesAre(t, hub, "berlin rebuilt 0+0")
	keep()
	buried(t, rebuilt, "erp", 1)
	lettersAre(t, hub, "", record.Filter{}, "berlin 1 erp-0 rejected")

	open(t, engine.Options{Dir: dir, Hub: h.paris()})
	edgesAre(t, hub, "berlin linked 0+1", "paris renamed 0+2")
	if n, err := hub.Forget(t.Context(), "paris"); n != 1 || err != nil {
		t.Errorf("forgot %d and %v, want 1", n, err)
	}
	edgesAre(t, hub, "berlin linked 0+1", "paris linked 0+2")
}

func TestEdgeTakesAndDeliversWhileItsHubIsAway(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	q := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	linked := func() bool { s, _ := q.HubState(); return s.Linked }
	eventually(t, "it is linked", linked)
	h.stop()
	eventually(t, "it notices", func() bool { return !linked() })
	write(t, q, records("crm", 0, 500)...)
	for _, e := range next(t, q.Lane("crm"), 500) {
		e.Finish()
	}
	if err := q.Health(); err != nil {
		t.Error(err)
	}
	h.start()
	eventually(t, "it is linked again", linked)
	write(t, q, sample("crm", 500))
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 1+0")

	q.store.Fail(errors.New("as after a write error"))
	eventually(t, "its own server runs again", func() bool { return q.Health() == nil })
	write(t, q, sample("crm", 501))
	edgesAre(t, hub, "berlin linked 2+0")
}

func TestAnyStreamOfTheHubMayCopyAnEdge(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	h := startHub(t)
	h.anyRights() // those of the example are for the relay's own streams
	q := open(t, engine.Options{Dir: t.TempDir(), Hub: h.berlin()})
	write(t, q, append(records("crm", 0, 20), records("erp", 0, 10)...)...)
	hub := h.operator()
	edgesAre(t, hub, "berlin linked 30+0")
	js, err := jetstream.New(h.client("operator", "of OPERATOR"))
	if err != nil {
		t.Fatal(err)
	}
	of := &jetstream.StreamSource{Name: record.Events, Domain: "berlin"}
	for _, c := range []jetstream.StreamConfig{
		{Name: "ALL", Sources: []*jetstream.StreamSource{of}},
		{Name: "ERP", Sources: []*jetstream.StreamSource{{Name: record.Events, Domain: "berlin", FilterSubject: "events.erp.*"}}},
		{Name: "MIRROR", Mirror: of},
	} {
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]uint64{"ALL": 30, "ERP": 10, "MIRROR": 30} {
		eventually(t, name+" has its records", func() bool {
			s, err := js.Stream(t.Context(), name)
			return err == nil && s.CachedInfo().State.Msgs == want
		})
	}
}
