package queue

import (
	"errors"
	"fmt"
	"testing"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// claiming is a record of an event with an id that stands for a content.
func claiming(service, id, content string) record.Record {
	return record.Record{Service: service, Event: "call_end", ID: id, Claim: id + "=" + content, Body: []byte(`{}`)}
}

func TestAnIDWithOtherContentIsAConflict(t *testing.T) {
	t.Parallel()
	p := queuetest.Cluster(t, t.TempDir())
	o := in(p, engine.Options{Dir: t.TempDir()})
	q := open(t, o)
	write(t, q, claiming("crm", "C1", "a"))
	refused := func(what string, recs ...record.Record) {
		t.Helper()
		if err := q.Write(testContext(t), recs); !errors.Is(err, record.ErrConflict) {
			t.Errorf("%s: got %v, want a conflict", what, err)
		}
	}
	refused("the same service", claiming("crm", "C1", "b"))
	refused("another service", claiming("billing", "C1", "b"))
	refused("beside a good one, before it", claiming("crm", "C2", "a"), claiming("crm", "C1", "b"))
	refused("within one group", claiming("crm", "C3", "a"), claiming("crm", "C3", "b"))
	segment := record.Record{Service: "crm", Event: "call_end", ID: "S/1", Claim: "S=a", Body: []byte(`{}`)}
	write(t, q, segment, record.Record{Service: "crm", Event: "call_end", ID: "made-up", Body: []byte(`{}`)})
	refused("the id of a segment", claiming("crm", "S/1", "b"))
	refused("an id that was made up", claiming("billing", "made-up", "b"), claiming("crm", "made-up", "b"))
	write(t, q, segment)
	write(t, q, claiming("crm", "C1", "a")) // a resend
	write(t, q, claiming("crm", "C2", "z")) // what was refused claims nothing
	write(t, q, claiming("crm", "C3", "z"), claiming("billing", "C3", "z"))
	write(t, q, record.Record{Service: "crm", Event: "call_end", ID: "C1", Body: []byte(`{}`)}) // known by its id alone
	shut(t, q)
	q = open(t, o)
	refused("after a restart", claiming("crm", "C1", "b"))
	write(t, q, claiming("crm", "C1", "a"))
	refused("the id of a segment, after a restart", claiming("crm", "S/1", "b"))
	write(t, q, segment, claiming("crm", "C4", "a"))
	got := map[string]int{}
	for _, e := range next(t, q.Lane("crm"), 6) {
		got[e.ID+" "+e.Claim]++
		e.Finish()
	}
	for _, want := range []string{"C1 C1=a", "C2 C2=z", "C3 C3=z", "C4 C4=a"} {
		if got[want] != 1 {
			t.Errorf("%s came %d times: %v", want, got[want], got)
		}
	}
	none(t, q.Lane("crm"))
}

func TestAnotherRelaysIDWithOtherContentIsAConflict(t *testing.T) {
	t.Parallel()
	queues := openSite(t, 2)
	write(t, queues[0], claiming("crm", "C1", "a"))
	for _, err := range []error{
		queues[1].Write(testContext(t), []record.Record{claiming("crm", "C1", "b")}),
		queues[1].Write(testContext(t), []record.Record{claiming("billing", "C1", "b"), claiming("crm", "C1", "b"), claiming("sales", "C1", "b")}),
	} {
		if !errors.Is(err, record.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	}
	write(t, queues[1], claiming("crm", "C1", "a"))
	if e := next(t, queues[0].Lane("crm"), 1)[0]; e.Claim != "C1=a" {
		t.Errorf("%s was delivered", e.Claim)
	}
	none(t, queues[0].Lane("crm"))
	none(t, queues[1].Lane("billing"))
	none(t, queues[1].Lane("sales"))
}

// TestWhatComesBeforeItsIDIsRead: while old ids are still being read, a resend is
// stored again and taken back, and what is something else stays, for it was
// accepted.
func TestWhatComesBeforeItsIDIsRead(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	const n = 10_100 // more than are read before anything is taken
	q := open(t, engine.Options{Dir: t.TempDir()})
	group := make([]record.Record, n)
	for i := range group {
		group[i] = claiming("crm", fmt.Sprint("C", i), "a")
	}
	group[2].Claim = "" // its id was made up
	write(t, q, group...)
	for _, e := range next(t, q.Lane("crm"), n) {
		e.Finish()
	}
	<-q.loading.done
	q.store.Events.Claims.Reset()
	known, err := q.store.BeginKnown(testContext(t), q.store.Engine())
	if err != nil {
		t.Fatal(err)
	}
	write(t, q, claiming("crm", "C0", "a"))
	write(t, q, claiming("crm", "C1", "b"))
	write(t, q, claiming("crm", "C2", "b"))
	known.Run(testContext(t), q.loading.takeBack)
	for i, e := range next(t, q.Lane("crm"), 2) {
		if want := fmt.Sprintf("C%d=b", i+1); e.Claim != want {
			t.Errorf("%s was delivered, want %s", e.Claim, want)
		}
	}
	none(t, q.Lane("crm"))
}
