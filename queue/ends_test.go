package queue

import (
	"os"
	"path/filepath"
	"testing"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// TestWhatAnotherRelayStoredAfterACleanCloseIsKept stands for a folder that an
// older relay, which knows nothing of the file, wrote to in between.
func TestWhatAnotherRelayStoredAfterACleanCloseIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 3)...)
	if err := q.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, endsFile)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("a clean close leaves no ends: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"EVENTS":{"acknowledged":1,"last":1}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	q = open(t, engine.Options{Dir: dir})
	if got := q.Stats().Services["crm"].Waiting; got != 3 {
		t.Errorf("%d deliveries wait, want 3", got)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file outlives the start: %v", err)
	}
}

// TestMarkLeftBehindIsNobodys stands for a start that was killed between the
// marking of a stream and the removal of the mark.
func TestMarkLeftBehindIsNobodys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 1)...)
	for _, stream := range []string{record.Events, record.Retry} {
		r := record.Record{Service: markService, Event: "mark"}
		at := record.Subject(stream, &r, record.Note{record.HeadReason, "mark"})
		if _, err := q.engine.Load().JS.Publish(testContext(t), at, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, endsFile)); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	q = open(t, engine.Options{Dir: dir})
	<-q.loading.done
	for service, s := range q.Stats().Services {
		if service != "crm" || s.Waiting != 1 || s.Parked != 0 {
			t.Errorf("%s: %+v", service, s)
		}
	}
}
