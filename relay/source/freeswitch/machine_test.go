package freeswitch

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"strconv"
	"testing"

	"callrelay/relay/source/freeswitch/esl"
)

// heard are the events of a transcript.
func heard(t testing.TB, scenario string) []esl.Event {
	t.Helper()
	return parsed(t, wire(t, scenario))
}

// parsed are the events in a text from the wire.
func parsed(t testing.TB, text []byte) []esl.Event {
	t.Helper()
	var all []esl.Event
	for _, body := range unwrapped(t, text) {
		all = append(all, esl.Parse(body))
	}
	return all
}

// unwrapped are their bodies.
func unwrapped(t testing.TB, text []byte) []string {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(text))
	var all []string
	for {
		h, err := textproto.NewReader(in).ReadMIMEHeader()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(h.Get("Content-Length"))
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(in, body); err != nil {
			t.Fatal(err)
		}
		all = append(all, string(body))
	}
}

func testMachine() *machine {
	return newMachine("fs", nil, nil, Converter{Recordings: recordingsDir})
}

func play(t testing.TB, m *machine, events []esl.Event) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, ev := range events {
		for _, o := range m.apply(ev, ev.Stamp()) {
			all = append(all, members(t, o.Body))
		}
	}
	return all
}

// standby are the segments that no document has.
var standby = []map[string]any{
	{"event": "agent_termination", "agent_id": "1003@default", "uii": "91794be9-de4a-4c77-904a-6678892621f1", "agent_duration": 3.02, "term_reason": "caller"},
	{"event": "agent_termination", "agent_id": "1003@default", "uii": "82dbf480-ca7c-48d2-a898-b764d8bcf552", "agent_duration": 2.98, "term_reason": "caller"},
	{"event": "agent_termination", "agent_id": "1003@default", "uii": "e51c48eb-b5a7-4800-8a48-91a2f016dbb7", "agent_duration": 3.0, "term_reason": "caller"},
}

func TestTranscripts(t *testing.T) {
	want := wanted(t)
	want["q_standby"] = append(want["q_standby"], standby...)
	for scenario, want := range want {
		if scenario == "made_member_is_b_leg" || scenario == "made_old_callflow" || scenario == "uuid_transfer_as_readme" {
			continue // documents only
		}
		t.Run(scenario, func(t *testing.T) {
			m := testMachine()
			got := play(t, m, heard(t, scenario))
			check(t, got, want)
			ids(t, got)
			if len(m.legs) > 0 || len(m.calls) > 0 || len(m.owed) > 0 {
				t.Errorf("left: %d legs, %d calls, %d owed", len(m.legs), len(m.calls), len(m.owed))
			}
			if n, why := m.Missed(); n > 0 {
				t.Error(why)
			}
			if testing.Verbose() {
				for _, e := range got {
					t.Log(shown(e))
				}
			}
		})
	}
}
