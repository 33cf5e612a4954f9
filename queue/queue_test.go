package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// testContext ends before the test's own deadline would be of no help.
func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// open opens a queue and closes it with the test.
func open(t testing.TB, o engine.Options) *Queue {
	t.Helper()
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	q, err := Open(testContext(t), in(queuetest.Cluster(t, o.Dir), o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, q) })
	return q
}

// in puts a queue in a place.
func in(p queuetest.Place, o engine.Options) engine.Options {
	o.Servers, o.Credentials, o.Site, o.Replicas = p.Servers, p.Credentials, p.Site, p.Replicas
	return o
}

func shut(t testing.TB, q *Queue) {
	t.Helper()
	if err := q.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// sample makes the n-th record of a service.
func sample(service string, n int) record.Record {
	return record.Record{
		Service: service, Event: "post_call", ID: fmt.Sprintf("%s-%d", service, n), Call: fmt.Sprint("call-", n%10),
		Segment: "1", Scope: "queue support", Body: fmt.Appendf(nil, `{"event":"post_call","id":"%s-%d","n":%d}`, service, n, n),
	}
}

func records(service string, from, to int) []record.Record {
	var recs []record.Record
	for n := from; n < to; n++ {
		recs = append(recs, sample(service, n))
	}
	return recs
}

func write(t testing.TB, q *Queue, recs ...record.Record) {
	t.Helper()
	if err := q.Write(testContext(t), recs); err != nil {
		t.Fatal(err)
	}
}

// next takes n entries.
func next(t testing.TB, l *Lane, n int) []*Entry {
	t.Helper()
	ctx := testContext(t)
	var entries []*Entry
	for len(entries) < n {
		more, err := l.Next(ctx, n-len(entries))
		if err != nil {
			t.Fatalf("next after %d of %d entries: %v", len(entries), n, err)
		}
		entries = append(entries, more...)
	}
	return entries
}

// none checks that the lane has nothing to hand out now.
func none(t testing.TB, l *Lane) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if entries, err := l.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("next: got %d entries and %v, want none", len(entries), err)
	}
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := testContext(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

func ids(entries []*Entry) []string {
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestRecordsComeBackAsWritten(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	want := sample("crm", 1)
	write(t, q, want)
	e := next(t, q.Lane("crm"), 1)[0]
	if fmt.Sprint(e.Record) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", e.Record, want)
	}
	if time.Since(e.Accepted) > time.Minute || e.Attempts != 0 || e.Replayed {
		t.Errorf("got accepted %v, %d attempts, replayed %v", e.Accepted, e.Attempts, e.Replayed)
	}
}

// TestRecordsLieWhereTheNatsCLIFindsThem holds the names that others rely on.
func TestRecordsLieWhereTheNatsCLIFindsThem(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	r := sample("crm", 1)
	r.Call, r.Segment, r.Scope = "U1", "2", "queue support"
	write(t, q, r)
	death := record.Death{Reason: "rejected", Attempts: 1, Status: 422, Error: "no such agent"}
	if err := next(t, q.Lane("crm"), 1)[0].Bury(death); err != nil {
		t.Fatal(err)
	}
	own := map[string]string{"Relay-Id": r.ID, "Relay-Call": "U1", "Relay-Segment": "2", "Relay-Scope": "queue support"}
	given := map[string]string{"Relay-Reason": "rejected", "Relay-Attempts": "1", "Relay-Status": "422", "Relay-Error": "no such agent"}
	maps.Copy(given, own)
	own["Nats-Msg-Id"] = r.ID + "@crm"
	for _, want := range []struct {
		stream, subject string
		headers         map[string]string
	}{
		{record.Events, "events.crm.post_call", own},
		{record.Dead, "dead.crm.rejected", given},
	} {
		eng := q.store.Engine()
		m, _, err := eng.GetStored(t.Context(), want.stream, fmt.Appendf(nil, `{"last_by_subj":%q}`, eng.Subject(want.subject)))
		if err != nil {
			t.Fatalf("%s: %v", want.subject, err)
		}
		for name, value := range want.headers {
			if got := m.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", want.subject, name, got, value)
			}
		}
		if string(m.Data) != string(r.Body) {
			t.Errorf("%s: body %s, want %s", want.subject, m.Data, r.Body)
		}
	}
}

func TestNothingRepeatsAfterCleanClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 2000)...)
	l := q.Lane("crm")
	entries := next(t, l, 1500)
	for i, e := range entries {
		if i != 700 {
			e.Finish()
		}
	}
	shut(t, q)

	q = open(t, engine.Options{Dir: dir})
	got := next(t, q.Lane("crm"), 501)
	seen := map[string]bool{}
	for _, e := range got {
		seen[e.ID] = true
	}
	if !seen["crm-700"] || !seen["crm-1500"] || !seen["crm-1999"] || len(seen) != 501 {
		t.Errorf("got %d different entries, want the 501 unfinished ones", len(seen))
	}
	none(t, q.Lane("crm"))
}

func TestParkedEntriesComeDue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 3)...)
	entries := next(t, q.Lane("crm"), 3)
	due := []Parking{
		{Attempts: 1, Due: time.Now().Add(50 * time.Millisecond), Status: 500},
		{Attempts: 2, Due: time.Now().Add(time.Hour), Held: true},
		{Attempts: 3, Due: time.Now().Add(time.Hour)},
	}
	for i, e := range entries {
		if err := e.Park(due[i]); err != nil {
			t.Fatal(err)
		}
	}
	first := next(t, q.Lane("crm"), 1)[0]
	if first.ID != "crm-0" || first.Attempts != 1 || first.Event != "post_call" {
		t.Errorf("got %s with %d attempts", first.ID, first.Attempts)
	}
	first.Finish()
	none(t, q.Lane("crm"))
	shut(t, q)

	q = open(t, engine.Options{Dir: dir})
	none(t, q.Lane("crm"))
	q.Lane("crm").Wake(WakeHeld)
	if e := next(t, q.Lane("crm"), 1)[0]; e.ID != "crm-1" || e.Attempts != 2 {
		t.Errorf("got %s with %d attempts", e.ID, e.Attempts)
	}
	q.Lane("crm").Wake(WakeAll)
	if e := next(t, q.Lane("crm"), 1)[0]; e.ID != "crm-2" || e.Attempts != 3 {
		t.Errorf("got %s with %d attempts", e.ID, e.Attempts)
	}
}

func TestBuriedEntriesAreLetters(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, sample("crm", 1))
	if err := next(t, q.Lane("crm"), 1)[0].Bury(record.Death{Reason: "rejected", Attempts: 1, Status: 422, Error: "no such agent"}); err != nil {
		t.Fatal(err)
	}
	var letters []record.Letter
	err := q.Letters(t.Context(), record.Filter{Service: "crm"}, func(l record.Letter) bool { letters = append(letters, l); return true })
	if err != nil || len(letters) != 1 || letters[0].Reason != "rejected" || letters[0].Status != 422 || letters[0].Event != "post_call" {
		t.Fatalf("got %+v and %v", letters, err)
	}
	n, err := q.Replay(t.Context(), record.Filter{}, nil)
	if n != 1 || err != nil {
		t.Fatalf("replayed %d: %v", n, err)
	}
	e := next(t, q.Lane("crm"), 1)[0]
	if e.ID != "crm-1" || !e.Replayed {
		t.Errorf("got %s, replayed %v", e.ID, e.Replayed)
	}
	if n, err := q.DropLetters(t.Context(), record.Filter{}); n != 0 || err != nil {
		t.Errorf("dropped %d: %v", n, err)
	}
}

// treeSize is what the files below a folder take.
func treeSize(dir string) (total int64) {
	_ = fs.WalkDir(os.DirFS(dir), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go
		}
		if info, err := d.Info(); err == nil && d.Type().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}
