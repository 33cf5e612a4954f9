package asterisk

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// shape is a transcript and what is right for it. A row's list is "any of
// these", null and an absent member are not compared, optional may be missing.
type shape struct {
	Events []string         `json:"events"` // the kinds that are compared
	Rows   []map[string]any `json:"rows"`
}

// TestShapes plays calls as people have them, recorded from a real Asterisk:
// each gives exactly what its table says.
func TestShapes(t *testing.T) {
	for _, folder := range []string{"testdata/shapes", "testdata/calls"} {
		shapes := wanted(t, folder)
		if folder == "testdata/calls" && os.Getenv("UPDATE_GOLDEN") == "1" {
			shapes = rewritten(t, folder)
		}
		for name, want := range shapes {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				want.hold(t, playShape(t, testMachine(), filepath.Join(folder, name), same))
			})
		}
	}
}

// wanted reads what is right for the transcripts of a folder.
func wanted(t *testing.T, folder string) map[string]shape {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	var shapes map[string]shape
	if err := json.Unmarshal(text, &shapes); err != nil {
		t.Fatal(err)
	}
	return shapes
}

// rewritten writes what the calls give now as what is right, for a person to
// read: scripts/trial/callserver holds it against Asterisk's own log.
func rewritten(t *testing.T, folder string) map[string]shape {
	t.Helper()
	kinds := []string{
		"call_end", "call_missed", "queue_enter", "queue_abandon", "dequeue", "agent_ring", "agent_ring_end",
		"agent_connect", "agent_termination", "transfer_termination",
	}
	shapes := map[string]shape{}
	files, _ := filepath.Glob(filepath.Join(folder, "*.ami.gz"))
	for _, file := range files {
		s := shape{Events: kinds}
		for _, o := range playShape(t, testMachine(), strings.TrimSuffix(file, ".ami.gz"), same) {
			row := map[string]any{}
			for name, value := range decode(t, o) {
				switch name {
				case "id", "source", "call_start", "segment_start", "segment_end", "duration", "segment_id":
				default:
					row[name] = value
					if list, ok := value.([]any); ok {
						row[name] = []any{list}
					}
				}
			}
			if slices.Contains(kinds, o.Name) {
				s.Rows = append(s.Rows, row)
			}
		}
		shapes[strings.TrimSuffix(filepath.Base(file), ".ami.gz")] = s
	}
	text, err := json.MarshalIndent(shapes, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "want.json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	return shapes
}

// playShape has a source see a transcript as a session does: first the lists
// of members and channels, then the events, each changed.
func playShape(t *testing.T, m *machine, name string, change func([]ami.Message) []ami.Message) []source.Event {
	t.Helper()
	list := func(names ...string) []ami.Message {
		for _, n := range names {
			if _, err := os.Stat(n); err == nil {
				return change(messages(t, n))
			}
		}
		return nil
	}
	events := change(messages(t, name+".ami.gz"))
	since := events[slices.IndexFunc(events, func(m ami.Message) bool { return !m.Stamp().IsZero() })].Stamp().Add(-time.Second)
	afterGap{m}.resume(since)
	all := afterGap{m}.reconcile(source.GapStart, time.Time{}, list(name+".channels.gz"),
		list(name+".members.gz", filepath.Join(filepath.Dir(name), "members.gz")))
	begun := len(all)
	for _, ev := range events {
		all = append(all, m.apply(ev, ev.Stamp())...)
	}
	all = append(all, m.tick(m.Last.Add(time.Minute))...)
	for _, o := range all[begun:] {
		if o.Name == callevent.Gap {
			t.Errorf("a gap where all was heard: %s", o.Body)
		}
	}
	checkAccepted(t, all)
	if missed(m) > 0 {
		t.Errorf("%d events missed: %s", missed(m), problem(m))
	}
	return all
}

// hold compares the events with the rows, whatever their order.
func (s shape) hold(t *testing.T, all []source.Event) {
	t.Helper()
	var got []map[string]any
	for _, o := range all {
		if slices.Contains(s.Events, o.Name) {
			got = append(got, decode(t, o))
		}
	}
	left := slices.Clone(got)
	for _, row := range s.Rows {
		best, diff := -1, ""
		for i, e := range left {
			d := differs(row, e)
			if d == "" {
				best, diff = i, ""
				break
			}
			if e["event"] == row["event"] && (diff == "" || len(d) < len(diff)) {
				diff = d
			}
		}
		switch {
		case best >= 0:
			left = slices.Delete(left, best, best+1)
		case row["optional"] != true:
			t.Errorf("no %v %v: %s", row["event"], row["agent_id"], diff)
		}
	}
	for _, e := range left {
		t.Errorf("not wanted: %s", short(e))
	}
	if t.Failed() {
		for _, o := range all {
			t.Log(short(decode(t, o)))
		}
	}
}

func short(e map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v:", e["event"])
	for _, name := range []string{
		"queue", "agent_id", "agent_device", "agent_username", "ani", "dnis", "uii", "segment_id", "direction", "agent_duration", "term_reason",
		"recording", "recording_start", "recording_end", "recordings", "ring_result", "ring_duration", "queue_result", "call_result", "rang", "hold_duration",
	} {
		if v, ok := e[name]; ok {
			fmt.Fprintf(&b, " %s=%v", name, v)
		}
	}
	return b.String()
}

// differs says in what an event is not the row; empty when it is.
func differs(row, e map[string]any) string {
	var d []string
	for name, want := range row {
		if name == "optional" || want == nil {
			continue
		}
		anyOf, ok := want.([]any)
		if !ok {
			anyOf = []any{want}
		}
		if !slices.ContainsFunc(anyOf, func(w any) bool { return equal(w, e[name]) }) {
			d = append(d, fmt.Sprintf("%s %v, want %v", name, e[name], want))
		}
	}
	return strings.Join(d, "; ")
}

// same changes nothing.
func same(events []ami.Message) []ami.Message { return events }

func equal(want, got any) bool {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		return ok && math.Abs(g-w) <= 0.05
	case string:
		return w == got || w == "" && got == nil
	}
	return fmt.Sprint(want) == fmt.Sprint(got)
}
