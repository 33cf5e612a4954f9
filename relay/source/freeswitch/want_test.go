package freeswitch

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
)

// What is in testdata was recorded with a FreeSWITCH 1.10.12, but for the
// scenarios whose names begin with made_. want.json says what is right for
// each: a list is any of these, null and an absent member are not compared,
// and what is optional may be missing.

// compared are the events that must be exactly those wanted.
var compared = []string{"queue_enter", "queue_abandon", "call_end", "post_call", "agent_termination", "transfer_termination"}

// recordingsDir is the folder of recordings in all of testdata.
const recordingsDir = "/srv/fs/var/lib/freeswitch/recordings"

func unpacked(t testing.TB, path ...string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// documents are those of a scenario, in the order in which the module wrote
// them.
func documents(t testing.TB, scenario string) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/cdr", scenario, "*.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents of %s: %v", scenario, err)
	}
	var all [][]byte
	for _, f := range files {
		all = append(all, unpacked(t, "cdr", scenario, filepath.Base(f)))
	}
	return all
}

func wanted(t testing.TB) map[string][]map[string]any {
	t.Helper()
	data, err := os.ReadFile("testdata/want.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]map[string]any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

// members are those of an event. The relay must take it.
func members(t testing.TB, event []byte) map[string]any {
	t.Helper()
	if _, err := callevent.Decode(event, callevent.Options{Internal: true}); err != nil {
		t.Errorf("the relay refuses %s: %v", event, err)
	}
	var m map[string]any
	if err := json.Unmarshal(event, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// check compares events with those wanted of a scenario.
func check(t testing.TB, got []map[string]any, want []map[string]any) {
	t.Helper()
	rest := slices.DeleteFunc(slices.Clone(got), func(e map[string]any) bool {
		return !slices.Contains(compared, e["event"].(string))
	})
	slices.SortStableFunc(want, func(a, b map[string]any) int { return order(a) - order(b) })
	for _, w := range want {
		i := slices.IndexFunc(rest, func(e map[string]any) bool { return matches(e, w) })
		if i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else if w["optional"] != true {
			t.Errorf("missing: %v", w)
		}
	}
	for _, e := range rest {
		t.Errorf("wrong: %v", shown(e))
	}
	checkTimes(t, got)
}

func order(want map[string]any) int {
	if want["optional"] == true {
		return 1
	}
	return 0
}

func shown(e map[string]any) string {
	data, _ := json.Marshal(e)
	return string(data)
}

func matches(e, want map[string]any) bool {
	for name, w := range want {
		if name == "optional" || w == nil {
			continue
		}
		choice, isList := w.([]any)
		if !isList {
			choice = []any{w}
		}
		if !slices.ContainsFunc(choice, func(w any) bool { return same(e[name], w) }) {
			return false
		}
	}
	return true
}

func same(got, want any) bool {
	if n, ok := want.(float64); ok {
		g, isNumber := got.(float64)
		return isNumber && math.Abs(g-n) <= 0.15
	}
	if got == nil {
		got = ""
	}
	return got == want
}

// checkTimes holds that no caller enters a queue before the call, nor leaves
// it before entering.
func checkTimes(t testing.TB, events []map[string]any) {
	t.Helper()
	starts := map[any]string{}
	for _, e := range events {
		if s, ok := e["call_start"].(string); ok {
			starts[e["uii"]] = s
		}
	}
	for _, e := range events {
		enqueue, isQueued := e["enqueue_time"].(string)
		if isQueued && instant(t, enqueue).Before(instant(t, starts[e["uii"]])) {
			t.Errorf("%v: enqueued at %s, the call began at %s", e["event"], enqueue, starts[e["uii"]])
		}
		if dequeue, ok := e["dequeue_time"].(string); ok && instant(t, dequeue).Before(instant(t, enqueue)) {
			t.Errorf("%v: enqueued at %s, left at %s", e["event"], enqueue, dequeue)
		}
	}
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Errorf("time %q: %v", text, err)
	}
	return at
}

// ids checks that no two events have the same id, and returns them.
func ids(t testing.TB, events []map[string]any) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, e := range events {
		id := fmt.Sprint(e["id"])
		if known[id] {
			t.Errorf("id %s twice", id)
		}
		known[id] = true
	}
	return known
}

func lines(events []source.Event) []byte {
	var all bytes.Buffer
	for _, e := range events {
		all.Write(append(e.Body, '\n'))
	}
	return all.Bytes()
}
