package asterisk

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// summary is what matters of the ends of segments, one line each: who, where,
// how long to the tenth of a second, why, and the leg's recording.
func summary(t testing.TB, all []source.Event) []string {
	t.Helper()
	var lines []string
	for _, o := range all {
		e := decode(t, o)
		if o.Name != "agent_termination" && o.Name != "transfer_termination" {
			continue
		}
		text := func(name string) string { s, _ := e[name].(string); return s }
		seconds, _ := e["agent_duration"].(float64)
		own := "no recording of its own"
		if text("recording") == text("uii")+"_"+text("segment_id")+".wav" {
			own = "recorded"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %.1fs %s %s",
			strings.TrimSuffix(o.Name, "_termination"), text("agent_id"), text("queue"), seconds, text("term_reason"), own))
	}
	return lines
}

// without leaves out the events of that name for which drop holds.
func without(events []ami.Message, name string, drop func(ami.Message) bool) []ami.Message {
	return slices.DeleteFunc(slices.Clone(events), func(m ami.Message) bool { return m.Event() == name && drop(m) })
}

func all(ami.Message) bool { return true }

func isEvent(name string) func(ami.Message) bool {
	return func(m ami.Message) bool { return m.Event() == name }
}

// stripped leaves headers out of the events of that name.
func stripped(events []ami.Message, name string, drop func(header string) bool) []ami.Message {
	out := slices.Clone(events)
	for i, m := range out {
		if m.Event() == name {
			out[i] = slices.DeleteFunc(slices.Clone(m), func(h ami.Header) bool { return drop(h.Name) })
		}
	}
	return out
}

// late moves the events of that name behind all others.
func late(events []ami.Message, name string) []ami.Message {
	is := func(m ami.Message) bool { return m.Event() == name }
	moved := slices.DeleteFunc(slices.Clone(events), func(m ami.Message) bool { return !is(m) })
	return append(slices.DeleteFunc(slices.Clone(events), is), moved...)
}

// TestTraps is one test per trap of the manager interface, each on the
// transcript of a real call.
func TestTraps(t *testing.T) {
	channel := func(h string) bool {
		return strings.HasPrefix(h, "Dest") || strings.HasSuffix(h, "id") || strings.HasPrefix(h, "Channel")
	}
	dest := func(h string) bool { return strings.HasPrefix(h, "Dest") }
	one := []string{"agent PJSIP/a1 support 4.0s agent recorded"}
	caller := []string{"agent PJSIP/a1 support 3.6s caller recorded"}
	transfer := []string{
		"agent PJSIP/a1 support 3.0s transfer recorded",
		"transfer PJSIP/a1 support 3.0s transfer recorded",
		"agent PJSIP/a2 support2 4.0s agent recorded",
	}
	for _, test := range []struct {
		name, transcript string
		change           func([]ami.Message) []ami.Message
		want             []string
	}{
		{"AgentComplete is missing", "single", func(e []ami.Message) []ami.Message { return without(e, "AgentComplete", all) }, one},
		{"AgentComplete is missing, the caller hung up", "single-caller", func(e []ami.Message) []ami.Message { return without(e, "AgentComplete", all) }, caller},
		{"and nobody said who asked for it", "single-caller", func(e []ami.Message) []ami.Message {
			return without(without(e, "AgentComplete", all), "HangupRequest", all)
		}, caller},
		{"AgentComplete is late", "single-caller", func(e []ami.Message) []ami.Message { return late(e, "AgentComplete") }, caller},
		{"AgentComplete without the agent's leg", "single", func(e []ami.Message) []ami.Message { return stripped(e, "AgentComplete", dest) }, one},
		{"AgentComplete without any leg", "single", func(e []ami.Message) []ami.Message { return stripped(e, "AgentComplete", channel) }, one},
		{"AgentComplete is wrong, late and without the agent's leg after a redirect", "redirect-ami", nil, []string{
			"agent PJSIP/a1 support 3.0s transfer recorded",
			"agent PJSIP/a2 support2 4.0s agent recorded",
		}},
		{"a transfer to another queue", "transfer", nil, transfer},
		{"the agent left the bridge before the transfer was told", "transfer-ami", nil, []string{
			"agent PJSIP/a1 support 3.2s transfer recorded",
			"transfer PJSIP/a1 support 3.2s transfer recorded",
			"agent PJSIP/a2 support2 4.0s agent recorded",
		}},
		{"the transfer is told after the end", "transfer", func(e []ami.Message) []ami.Message { return late(e, "BlindTransfer") }, []string{
			transfer[0], transfer[2], transfer[1],
		}},
		{"a transfer that only AgentComplete tells", "transfer", func(e []ami.Message) []ami.Message {
			return without(e, "BlindTransfer", all)
		}, []string{transfer[0], transfer[2]}},
		{"a transfer to a plain Dial has no AgentConnect", "transfer-dial", nil, []string{
			"agent PJSIP/a1 support 3.0s transfer recorded",
			"transfer PJSIP/a1 support 3.0s transfer recorded",
			"agent PJSIP/a2  4.0s agent recorded",
		}},
		{"a direct dial has none either", "direct", nil, []string{"agent PJSIP/a1  4.0s agent recorded"}},
		{"a direct dial that the caller ends", "direct-caller", nil, []string{"agent PJSIP/a1  4.0s caller recorded"}},
		{"segments overlap in an attended transfer", "atxfer-ami", nil, []string{
			"agent PJSIP/a1 support 7.0s transfer recorded",
			"transfer PJSIP/a1 support 7.0s transfer recorded",
			"agent PJSIP/a2 support2 9.0s agent recorded",
		}},
		{"the Hangup counts when BridgeLeave is lost", "single", func(e []ami.Message) []ami.Message { return without(e, "BridgeLeave", all) }, one},
		{"a caller who gives up", "abandon", nil, nil},
		{"a queue that gives up", "noagent", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			events := transcript(t, test.transcript)
			if test.change != nil {
				events = test.change(events)
			}
			if got := summary(t, play(t, testMachine(), events)); !slices.Equal(got, test.want) {
				t.Errorf("ends of segments:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestAnyOrderAtTheEnd takes the last events of a call in every order in which
// those of one channel keep theirs.
func TestAnyOrderAtTheEnd(t *testing.T) {
	for _, name := range []string{"single", "single-caller"} {
		events := transcript(t, name)
		var before []ami.Message
		tails := map[string][]ami.Message{}
		for _, m := range events {
			switch m.Event() {
			case "AgentComplete":
				tails["queue"] = append(tails["queue"], m)
			case "HangupRequest", "BridgeLeave", "Hangup":
				tails[m.Get("Channel")] = append(tails[m.Get("Channel")], m)
			default:
				before = append(before, m)
			}
		}
		want := summary(t, play(t, testMachine(), events))
		orders := 0
		interleave(slices.Collect(maps.Values(tails)), nil, func(tail []ami.Message) {
			orders++
			got := summary(t, play(t, testMachine(), slices.Concat(before, tail)))
			if len(got) != 1 || head(got[0]) != head(want[0]) {
				t.Errorf("%s: segments %q, want %q", name, got, want)
			}
		})
		if orders < 34 {
			t.Errorf("%s: %d orders tried", name, orders)
		}
	}
}

// head is a summary without the reason: a Hangup that is told before anything
// else of its leg leaves it open.
func head(line string) string {
	before, _, _ := strings.Cut(line, "s ")
	return before
}

func interleave(tails [][]ami.Message, sofar []ami.Message, visit func([]ami.Message)) {
	done := true
	for i, tail := range tails {
		if len(tail) == 0 {
			continue
		}
		done = false
		rest := slices.Clone(tails)
		rest[i] = tail[1:]
		interleave(rest, append(slices.Clip(sofar), tail[0]), visit)
	}
	if done {
		visit(sofar)
	}
}

func TestReplayGivesTheSameIDs(t *testing.T) {
	events := transcript(t, "burst")
	ids := func(out []source.Event) (ids []string) {
		for _, o := range out {
			ids = append(ids, decode(t, o)["id"].(string))
		}
		return ids
	}
	first, second := ids(play(t, testMachine(), events)), ids(play(t, testMachine(), events))
	if !slices.Equal(first, second) {
		t.Error("the same events gave other ids")
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(first))); len(unique) != len(first) {
		t.Errorf("%d ids for %d events", len(unique), len(first))
	}
}

// TestBurst holds each segment of 50 calls against the stamps of its leg.
func TestBurst(t *testing.T) {
	entered, left := map[string]float64{}, map[string]float64{}
	events := transcript(t, "burst")
	for _, m := range events {
		at, id := float64(m.Stamp().UnixMicro())/1e6, m.Get("Uniqueid")
		switch m.Event() {
		case "BridgeEnter":
			entered[id] = at
		case "BridgeLeave":
			left[id] = at
		}
	}
	segments := 0
	for _, o := range play(t, testMachine(), events) {
		e := decode(t, o)
		if o.Name != "agent_termination" {
			continue
		}
		segments++
		id := e["segment_id"].(string)
		if got, want := e["agent_duration"].(float64), left[id]-entered[id]; math.Abs(got-want) > 0.01 { // to when the other one is there
			t.Errorf("agent_duration of %s = %v, want %v", id, got, want)
		}
		if e["recording"] != e["uii"].(string)+"_"+id+".wav" || e["term_reason"] != "agent" || e["queue"] != "burst" {
			t.Errorf("segment %s = %v", id, e)
		}
	}
	if segments != 50 {
		t.Errorf("%d segments, want 50", segments)
	}
}

func TestQueues(t *testing.T) {
	for _, test := range []struct {
		name, transcript string
		queues           []string
		want             []string
	}{
		{"another queue", "single", []string{"sales"}, nil},
		{"the first of two", "transfer", []string{"support"}, []string{
			"call_start", "queue_enter support", "agent_ring support", "dequeue support", "agent_connect support",
			"agent_termination support", "transfer_termination support", "call_end", "post_call support",
		}},
		{"the second of two", "transfer", []string{"support2"}, []string{
			"call_start", "queue_enter support2", "agent_ring support2", "dequeue support2", "agent_connect support2",
			"agent_termination support2", "call_end", "post_call support2",
		}},
		{"a direct dial is in no queue", "direct", []string{"support"}, nil},
		{"a segment outside the queues of a call that was in one", "transfer-dial", []string{"support"}, []string{
			"call_start", "queue_enter support", "agent_ring support", "dequeue support", "agent_connect support",
			"agent_termination support", "transfer_termination support",
			"agent_connect", "agent_termination", "call_end", "post_call support",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, o := range play(t, testMachine(test.queues...), transcript(t, test.transcript)) {
				queue, _ := decode(t, o)["queue"].(string)
				got = append(got, strings.TrimSpace(o.Name+" "+queue))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("events %q, want %q", got, test.want)
			}
		})
	}
}

func TestLeastLoginSeesTheSame(t *testing.T) {
	got := summary(t, play(t, testMachine(), transcript(t, "tdial-min")))
	want := []string{
		"agent PJSIP/a1 support 3.0s transfer recorded",
		"transfer PJSIP/a1 support 3.0s transfer recorded",
		"agent PJSIP/a2  4.0s agent recorded",
	}
	if !slices.Equal(got, want) {
		t.Errorf("ends of segments %q, want %q", got, want)
	}
}

// TestLateCompleteOfTheSameAgent gives an agent two segments in one call: the
// late AgentComplete of the first does not touch the second.
func TestLateCompleteOfTheSameAgent(t *testing.T) {
	header := func(name, value string) ami.Header { return ami.Header{Name: name, Value: value} }
	event := func(name, leg string, more ...ami.Header) ami.Message {
		return append(ami.Message{
			header("Event", name), header("Uniqueid", leg), header("Linkedid", "7.1"), header("DestUniqueid", leg), header("DestLinkedid", "7.1"),
			header("Queue", "support"), header("Interface", "PJSIP/a1"), header("BridgeUniqueid", "b"+leg), header("BridgeNumChannels", "2"),
		}, more...)
	}
	var all []source.Event
	m := testMachine()
	for _, ev := range []ami.Message{
		event("AgentConnect", "7.2"), event("BridgeEnter", "7.2"), event("BridgeLeave", "7.2"), event("Hangup", "7.2"),
		event("AgentConnect", "7.3"), event("BridgeEnter", "7.3"),
		event("AgentComplete", "7.3", header("Reason", "agent")),
		event("AgentComplete", "7.2", header("Reason", "caller")),
		event("BridgeLeave", "7.3"), event("Hangup", "7.3"),
	} {
		all = append(all, m.apply(ev, ev.Stamp())...)
	}
	for _, o := range all {
		if e := decode(t, o); o.Name == "agent_termination" && e["segment_id"] == "7.3" && e["term_reason"] != "agent" {
			t.Errorf("reason %v, want agent", e["term_reason"])
		}
	}
}
