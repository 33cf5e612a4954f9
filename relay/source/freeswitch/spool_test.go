package freeswitch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSpooled(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("RELAY_FREESWITCH_SPOOL", folder)
	now := time.Now()
	if got := Spooled(now); got != "" {
		t.Errorf("an empty folder: %q", got)
	}
	for _, name := range []string{"a.cdr.json", "b.cdr.json", "c.txt"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := Spooled(now); got != "" {
		t.Errorf("just now: %q", got)
	}
	if got := Spooled(now.Add(time.Hour)); !strings.Contains(got, ": 2, the oldest for") || !strings.Contains(got, folder) {
		t.Errorf("after an hour: %q", got)
	}
	t.Setenv("RELAY_FREESWITCH_SPOOL", folder+"/none")
	if got := Spooled(now.Add(time.Hour)); got != "" {
		t.Errorf("no folder: %q", got)
	}
}
