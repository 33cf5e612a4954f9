package asterisk

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// transcript reads what an Asterisk sent, as it was received.
func transcript(t testing.TB, name string) []ami.Message {
	t.Helper()
	return messages(t, filepath.Join("testdata", name+".ami.gz"))
}

// read are the files of messages that were read.
var read sync.Map

// messages reads a file of messages, once, and returns them to be changed.
func messages(t testing.TB, name string) []ami.Message {
	t.Helper()
	known, ok := read.Load(name)
	if !ok {
		known, _ = read.LoadOrStore(name, parsed(t, name))
	}
	all := slices.Clone(known.([]ami.Message))
	for i := range all {
		all[i] = slices.Clone(all[i])
	}
	return all
}

func parsed(t testing.TB, name string) []ami.Message {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []ami.Message
	for r := ami.NewReader(io.MultiReader(text, strings.NewReader("\n\n"))); ; {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

// testMachine is a machine as relay.toml of the tests would have it.
func testMachine(queues ...string) *machine {
	return newMachine("pbx1", queues, nil, "/cs/rec")
}

// play applies manager events and returns the call events, each held against
// what the relay takes.
func play(t testing.TB, m *machine, events []ami.Message) []source.Event {
	t.Helper()
	var all []source.Event
	for _, ev := range events {
		all = append(all, m.apply(ev, ev.Stamp())...)
	}
	checkAccepted(t, all)
	return all
}

func checkAccepted(t testing.TB, all []source.Event) {
	t.Helper()
	for _, o := range all {
		decoded, err := callevent.Decode(o.Body, callevent.Options{Internal: true})
		if err != nil {
			t.Fatalf("the relay refuses %s: %v", o.Body, err)
		}
		if id := decoded[0].ID; !strings.HasPrefix(id, "pbx1/") || len(id) > 128 {
			t.Errorf("id = %q, want at most 128 bytes, the source's name first", id)
		}
	}
}

// golden compares with testdata/name.golden, or writes it under UPDATE_GOLDEN=1.
func golden(t *testing.T, name string, all []source.Event) {
	t.Helper()
	var got bytes.Buffer
	for _, o := range all {
		got.Write(o.Body)
		got.WriteByte('\n')
	}
	file := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("events of %s:\n%swant:\n%s", name, got.Bytes(), want)
	}
}

// TestTranscripts turns whole calls of a real Asterisk, captured with a login
// that sees all, or (-min) only what a relay needs.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ami.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".ami.gz")
		t.Run(name, func(t *testing.T) {
			m := testMachine()
			golden(t, name, play(t, m, transcript(t, name)))
			if len(m.calls) != 0 || missed(m) != 0 {
				t.Errorf("%d calls in progress, %d events missed (%s), want none", len(m.calls), missed(m), problem(m))
			}
		})
	}
}

// decode reads an event back.
func decode(t testing.TB, o source.Event) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(o.Body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func missed(m *machine) int {
	n, _ := m.Missed()
	return n
}

func problem(m *machine) string {
	_, why := m.Missed()
	return why
}
