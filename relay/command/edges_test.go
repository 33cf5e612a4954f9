package command

import (
	"strings"
	"testing"
	"time"

	"callrelay/queue"
)

func TestEdgesAreListedWithWhatBecameOfThem(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.Local)
	report := func(name, id string, waiting, dead int) queue.EdgeReport {
		return queue.EdgeReport{Name: name, ID: id, Made: now.Add(-time.Hour), Version: "v1", Waiting: waiting, Dead: dead}
	}
	edges := []queue.Edge{
		{EdgeReport: report("berlin", "b1", 11, 0), State: queue.EdgeLinked, Seen: now},
		{EdgeReport: report("oslo", "o1", 1, 4), State: queue.EdgeAway, Seen: now.Add(-2 * time.Hour)},
		{EdgeReport: report("paris", "p2", 0, 0), State: queue.EdgeRebuilt, Seen: now, Before: []queue.EdgeReport{report("paris", "p1", 3, 1)}},
		{EdgeReport: report("rome", "r1", 0, 0), State: queue.EdgeRenamed, Seen: now, Formerly: []string{"roma"}},
		{EdgeReport: report("york", "y1", 0, 0), State: queue.EdgeDoubled, Seen: now},
	}
	edges[0].Problem = "queue is full"
	var out strings.Builder
	(&app{out: &out}).printEdges(edges, now)
	want := `5 edges, 1 away, 12 waiting, 4 dead letters

EDGE    STATE                           WAITING  DEAD  OLDEST   SEEN  VERSION  NOTE
berlin  linked                               11     0       -     0s  v1       queue is full
oslo    away since 2026-01-02 13:00:00        1     4       -  2h00m  v1       -
paris   rebuilt                               0     0       -     0s  v1       new folder p2 since 2026-01-02 14:00:00; in the one before, p1, waited 3, and 1 dead letter
rome    renamed                               0     0       -     0s  v1       formerly roma
york    doubled                               0     0       -     0s  v1       another relay has this name (folder y1 here)
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHubCommandsNeedAHub(t *testing.T) {
	config := writeConfig(t, idleConfig)
	for _, args := range [][]string{
		{"status", "--hub"},
		{"dead", "list", "--hub"},
		{"dead", "list", "--hub", "berlin"},
		{"dead", "replay", "--hub", "berlin", "--all"},
		{"hub", "--once"},
		{"hub", "forget", "berlin"},
	} {
		got := command(t, "", append(args, "-c", config)...)
		if got.status != exitFailed || !strings.Contains(got.err, "has no [queue.hub]") || !strings.Contains(got.err, "try: ") {
			t.Errorf("relay %v: %d %s", args, got.status, got.err)
		}
	}
	if got := command(t, "", "dead", "list", "berlin", "-c", config); got.status != exitUsage {
		t.Errorf("an edge without --hub: %d %s", got.status, got.err)
	}
}
