package queue

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// person makes a record of a call whose body names it.
func person(service, call string, n int) record.Record {
	r := sample(service, n)
	r.ID, r.Call = fmt.Sprintf("%s/%d", call, n), call
	r.Body = fmt.Appendf(nil, `{"event":"post_call","uii":%q,"n":%d}`, call, n)
	return r
}

func about(call string) func(*record.Stored) bool {
	return func(s *record.Stored) bool { return s.Call == call || bytes.Contains(s.Body, []byte(call)) }
}

// filesWith counts the files below dir that hold the text.
func filesWith(t testing.TB, dir, text string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestErasedRecordsAreGoneFromEveryStreamAndFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	const gone, kept = "call-of-ann", "call-of-bob"
	crm := q.Lane("crm")
	for n := range 6 {
		write(t, q, person("crm", gone, n), person("crm", kept, n))
	}
	entries := map[string]*Entry{}
	for _, e := range next(t, crm, 10) {
		entries[e.ID] = e
	}
	for _, call := range []string{gone, kept} {
		entries[call+"/0"].Finish()
		if err := entries[call+"/1"].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if err := entries[call+"/2"].Bury(record.Death{Reason: "rejected"}); err != nil {
			t.Fatal(err)
		}
		entries[call+"/3"].Return()
		q.LogAttempt("crm", "retry", fmt.Appendf(nil, `{"call":%q}`, call))
		q.LogDebug("crm", fmt.Appendf(nil, `{"body":"of %s"}`, call))
	}
	write(t, q, person("billing", gone, 9)) // nobody has asked for it yet
	eventually(t, "the logs are stored", func() bool {
		tried, err1 := q.History(testContext(t), Attempts, "crm", 2)
		seen, err2 := q.History(testContext(t), Debug, "crm", 2)
		return err1 == nil && err2 == nil && len(tried) == 2 && len(seen) == 2
	})

	want := map[string]int{record.Events: 7, record.Retry: 1, record.Dead: 1, record.Attempts: 1, record.Debug: 1}
	for _, dry := range []bool{true, false} {
		got, err := q.Erase(testContext(t), dry, about(gone))
		if err != nil || fmt.Sprint(got.Records) != fmt.Sprint(want) {
			t.Errorf("dry %v: got %v and %v, want %v", dry, got.Records, err, want)
		}
		// 3 returned, 4 in flight, 5 not handed out, and 1 parked
		if got.Owed["crm"] != 4 || got.Owed["billing"] != 1 {
			t.Errorf("dry %v: owed %v, want 4 of crm and 1 of billing", dry, got.Owed)
		}
		if !dry && got.InFlight != 1 {
			t.Errorf("%d in flight, want 1", got.InFlight)
		}
	}
	if e := entries[gone+"/4"]; !e.Erased() || e.Park(Parking{Due: time.Now()}) != nil {
		t.Error("an erased delivery in flight is not known as such")
	}
	if got, err := q.Erase(testContext(t), true, about(gone)); err != nil || len(got.Records) > 0 {
		t.Errorf("still there: %v %v", got.Records, err)
	}
	eventually(t, "it is counted no more", func() bool {
		s := q.Stats().Services
		return s["billing"].Waiting == 0 && s["crm"].Parked == 1
	})
	entries[kept+"/4"].Finish()
	shut(t, q)
	if n := filesWith(t, dir, gone); n > 0 {
		t.Errorf("%d files still hold what was erased", n)
	}

	q = open(t, engine.Options{Dir: dir})
	got := map[string]bool{}
	for _, e := range next(t, q.Lane("crm"), 2) {
		got[e.ID] = true
		e.Finish()
	}
	if !got[kept+"/3"] || !got[kept+"/5"] {
		t.Errorf("after a restart got %v, want what the other call was owed", got)
	}
	none(t, q.Lane("crm"))
	q.Lane("crm").Wake(WakeAll)
	if e := next(t, q.Lane("crm"), 1)[0]; e.ID != kept+"/1" {
		t.Errorf("got %s, want the parked one of the other call", e.ID)
	}
}

func TestAnErasedCallLetsTheOrderOfOthersGoOn(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	l.SetOrdered(true)
	for n := range 4 {
		write(t, q, person("crm", "call-of-ann", n), person("crm", "call-of-bob", n))
	}
	first := next(t, l, 2) // one of each call; the others follow
	for _, e := range first {
		if err := e.Park(Parking{Due: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := q.Erase(testContext(t), false, about("call-of-ann"))
	if err != nil || got.Owed["crm"] != 4 || got.InFlight != 0 {
		t.Errorf("got %+v and %v, want 4 owed", got, err)
	}
	l.Wake(WakeAll)
	for n := range 4 {
		e := next(t, l, 1)[0]
		if want := fmt.Sprintf("call-of-bob/%d", n); e.ID != want {
			t.Errorf("got %s, want %s", e.ID, want)
		}
		e.Finish()
	}
	none(t, l)
	write(t, q, person("crm", "call-of-ann", 7))
	if e := next(t, l, 1)[0]; e.ID != "call-of-ann/7" {
		t.Errorf("got %s, want the event that came after the erasure", e.ID)
	}
}

func TestErasingWhileDeliveriesMoveMissesNone(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	const n = 300
	var recs []record.Record
	for i := range n {
		recs = append(recs, person("crm", []string{"call-of-ann", "call-of-bob"}[i%2], i))
	}
	write(t, q, recs...)
	delivered := make(chan string, 10*n)
	ctx := testContext(t)
	for range 4 { // every delivery is parked twice before it is delivered
		go func() {
			for {
				list, err := q.Lane("crm").Next(ctx, 8)
				if err != nil {
					return
				}
				for _, e := range list {
					if e.Attempts < 2 {
						_ = e.Park(Parking{Attempts: e.Attempts + 1, Due: time.Now().Add(20 * time.Millisecond)})
						continue
					}
					delivered <- e.Call
					e.Finish()
				}
			}
		}()
	}
	if _, err := q.Erase(ctx, false, about("call-of-ann")); err != nil {
		t.Fatal(err)
	}
	for len(delivered) > 0 { // up to here either may have been delivered
		<-delivered
	}
	late := 0
	eventually(t, "all is done", func() bool {
		for len(delivered) > 0 {
			if <-delivered == "call-of-ann" {
				late++
			}
		}
		s := q.Stats().Services["crm"]
		return s.Waiting+s.InFlight+s.Parked == 0
	})
	if late > 32 { // what the four held when it was erased
		t.Errorf("%d deliveries of the erased call after the erasure", late)
	}
	if got, err := q.Erase(ctx, true, about("call-of-ann")); err != nil || len(got.Records) > 0 {
		t.Errorf("still there: %v %v", got.Records, err)
	}
}
