package call

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"unicode/utf8"
)

func seeds() []string {
	return []string{
		document, sample, `{}`, `{"event":"x"}`, ` {"event" : "x" , "n" : -0.10 } `, `{"event":"x","n":1e5,"s":"\ud83d\ude00"}`,
		`{"event":"x","name":"Ünïcode"}`, "{\"event\":\"x\",\"a\":\"\xff\"}", `{"event":"x","a":1,"a":2}`, `{"event":"x","a":01}`,
		`{"event":"x","id":"a","segments":[{"segment_id":1},{"recording":"b","recording_start":1}]}`, `{"event":"x",}`,
		`{"event":"x","a":{"b":[1,{"c":null}]},"script":{"k":"v"}}`, `{"":true,"event":"x","queue":null}`, `{"event":"x"}x`,
	}
}

// FuzzScanFlat holds the quick reader against the strict one: it may pass an
// event on, but it must not read it differently.
func FuzzScanFlat(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		quick, ok := scanFlat(string(data))
		if !ok {
			return
		}
		strict, err := readStrict(data, string(data))
		if err != nil {
			t.Fatalf("accepted %q, the strict reader: %v", data, err)
		}
		if !slices.Equal(quick, strict.members) || len(strict.segments) > 0 {
			t.Errorf("%q: got %v, the strict reader %v", data, quick, strict.members)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := Decode(data, Options{RecordingsDir: "/rec"})
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Problem == "" {
				t.Fatalf("error %v is no *Error with a problem", err)
			}
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("accepted %q", data)
		}
		ids := map[string]bool{}
		for _, e := range events {
			checkEvent(t, e)
			if ids[e.ID] {
				t.Errorf("id %q twice", e.ID)
			}
			ids[e.ID] = true
		}
	})
}

// checkEvent holds what is true of every event that was accepted.
func checkEvent(t *testing.T, e Event) {
	t.Helper()
	if e.ID == "" || len(e.ID) > MaxID || hasControl(e.ID) || !validName(e.Name) {
		t.Errorf("event %q has the id %q", e.Name, e.ID)
	}
	again, err := Decode(e.Body, Options{})
	if err != nil || len(again) != 1 {
		t.Fatalf("body %s is not taken again: %v", e.Body, err)
	}
	if a := again[0]; a.ID != e.ID || string(a.Body) != string(e.Body) {
		t.Errorf("body changes when taken again:\n got %s\nwant %s", a.Body, e.Body)
	}
}
