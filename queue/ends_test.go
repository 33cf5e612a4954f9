package queue

import (
	"os"
	"path/filepath"
	"testing"

	"callrelay/queue/engine"
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
