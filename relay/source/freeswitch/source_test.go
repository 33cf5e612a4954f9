package freeswitch

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/freeswitch/esl"
)

// wire is a transcript as the event socket writes it.
func wire(t testing.TB, scenario string) []byte {
	t.Helper()
	return unpacked(t, "esl", scenario+".plain.gz")
}

// spoken is an event with these values, on the wire.
func spoken(values ...string) []byte {
	var body strings.Builder
	for i := 0; i+1 < len(values); i += 2 {
		fmt.Fprintf(&body, "%s: %s\n", values[i], url.PathEscape(values[i+1]))
	}
	body.WriteByte('\n')
	return fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", body.Len(), body.String())
}

// A call that is seen live and by its documents is delivered once, whichever
// comes first, and whether the relay is restarted in between.
func TestBothWays(t *testing.T) {
	for _, liveFirst := range []bool{true, false} {
		f, r, store := newFake(t), newTaker(), &memory{}
		documented := func() {
			n := &Intake{Converter: converter, Emit: singly(r.emit), Ledger: openLedger(t, store)}
			for _, body := range documents(t, "q_attended_refer") {
				if w := post(n, body); w.Code != 202 {
					t.Errorf("answer %d %s", w.Code, w.Body)
				}
			}
		}
		if !liveFirst {
			documented()
		}
		o := options(t, f, r)
		o.Store = store
		stop := run(t, NewSource(o, openLedger(t, store)))
		f.awaitClient(t)
		f.send(wire(t, "q_attended_refer"))
		f.send(wire(t, "q_abandon"))
		r.await(t, "queue_abandon", 1)
		got := r.await(t, "post_call", 3)
		if stop(); liveFirst {
			documented()
			got = r.events()
		}
		ids(t, got)
		want := append(wanted(t)["q_attended_refer"], wanted(t)["q_abandon"]...)
		check(t, got, want)
	}
}

// Of two FreeSWITCH that say the same things of calls of their own, all is
// delivered, once each, although documents do not say which source is theirs;
// the sources know their own.
func TestTwoFreeSWITCH(t *testing.T) {
	r, ledger := newTaker(), openLedger(t, &memory{})
	n := &Intake{Converter: converter, Emit: singly(r.emit), Ledger: ledger}
	other := func(text []byte) []byte {
		text = bytes.ReplaceAll(text, []byte("FreeSWITCH-Switchname: fs\n"), []byte("FreeSWITCH-Switchname: f2\n"))
		text = bytes.ReplaceAll(text, []byte(`"switchname":"fs"`), []byte(`"switchname":"f2"`))
		return regexp.MustCompile(`[0-9a-f]{4}(-[0-9a-f]{4}-[0-9a-f]{12})`).ReplaceAll(text, []byte("ffff$1"))
	}
	for i, name := range []string{"east", "west"} {
		f := newFake(t)
		o := options(t, f, r)
		o.Config.Name = name
		run(t, NewSource(o, ledger))
		f.awaitClient(t)
		text := wire(t, "q_attended_refer")
		if i > 0 {
			text = other(text)
		}
		f.send(text)
		r.await(t, "post_call", 2*(i+1))
	}
	before := len(r.events())
	for _, body := range documents(t, "q_attended_refer") {
		for _, body := range [][]byte{body, other(body)} {
			if w := post(n, body); w.Code != 202 {
				t.Errorf("answer %d %s", w.Code, w.Body)
			}
		}
	}
	if got := r.events(); len(got) != before {
		t.Errorf("%d events, %d of them after the documents", len(got), len(got)-before)
	}
	ids(t, r.events())
	if ledger.SourceOf("fs") != "east" || ledger.SourceOf("f2") != "west" {
		t.Errorf("fs belongs to %q, f2 to %q", ledger.SourceOf("fs"), ledger.SourceOf("f2"))
	}
	counts := map[any]int{}
	for _, e := range r.events() {
		counts[e["source"]]++
	}
	if counts["east"] != counts["west"] || len(counts) != 2 {
		t.Errorf("events by source: %v", counts)
	}
}

// Cut in the middle of an event, the source comes back, says the gap and takes
// what goes on.
func TestReconnect(t *testing.T) {
	f, r := newFake(t), newTaker()
	run(t, NewSource(options(t, f, r), nil))
	f.awaitClient(t)
	whole := wire(t, "q_caller_hangs_up")
	at := bytes.Index(whole, []byte("Event-Name: CHANNEL_HANGUP\n"))
	f.send(whole[:at+5]) // agent and caller talk
	r.await(t, "agent_connect", 1)
	f.set(askChannels, string(unpackedChannels(t)))
	f.cut()
	f.awaitClient(t)
	got := r.await(t, "relay_gap", 1)
	for _, e := range got {
		if e["event"] == "relay_gap" && (e["reason"] != source.GapDisconnect || e["segments_ended"] != 1.0 || e["count"] != 1.0 || e["channels_compared"] != true) {
			t.Errorf("gap %v, want one with a segment that ended", e)
		}
		if e["event"] == "agent_termination" && e["segment_end"] != nil {
			t.Errorf("an end nobody saw: %v", e)
		}
	}
	if count(got, "agent_termination") != 1 || count(got, "post_call") != 1 {
		t.Errorf("events %v, want the ends of the call", got)
	}
	f.send(wire(t, "q_abandon"))
	r.await(t, "queue_abandon", 1)
}

func unpackedChannels(testing.TB) []byte { return []byte(`{"row_count":0,"rows":[]}`) }

// What began while nobody listened and goes on is taken up with its true
// times; a conversation that began and ended unseen is counted.
func TestCatchUp(t *testing.T) {
	const member, agent = "4db8429d-21ce-4186-9f1b-54aa5bd1eed7", "04fe691f-b3c0-434d-84dc-56a209656ec1"
	f, r := newFake(t), newTaker()
	agents := string(unpacked(t, "esl/reconnect/callcenter-agents.txt.gz"))
	before := strings.ReplaceAll(agents, "|0|2|2|0|0", "|0|0|2|0|0") // nothing answered yet
	f.set(askAgents, before)
	run(t, NewSource(options(t, f, r), nil))
	f.awaitClient(t)
	f.send(wire(t, "q_abandon"))
	r.await(t, "post_call", 1)
	f.set(askAgents, agents)
	f.set(askChannels, string(unpacked(t, "esl/reconnect/show-channels.json.gz")))
	core := heard(t, "q_abandon")[0].Get("Core-UUID") // it was not restarted in between
	for i, id := range []string{member, agent} {
		dump := unpacked(t, fmt.Sprintf("esl/reconnect/uuid_dump-%d.json.gz", i+1))
		f.set("uuid_dump "+id+" json", regexp.MustCompile(`"Core-UUID":"[^"]+`).ReplaceAllString(string(dump), `"Core-UUID":"`+core))
	}
	f.cut()
	f.awaitClient(t)
	got := r.await(t, "relay_gap", 1)
	for _, e := range got {
		switch {
		case e["event"] == "relay_gap" && (e["segments_missing"] != 1.0 || e["count"] != 1.0):
			t.Errorf("gap %v, want one conversation missing", e)
		case e["event"] == "agent_connect" && (e["uii"] != member || e["segment_id"] != agent || e["agent_id"] != "1001@default" || e["queue"] != "support" || e["segment_start"] != "2026-11-27T16:22:23.127126Z"):
			t.Errorf("segment %v", e)
		case e["event"] == "call_start" && e["uii"] == member && (e["call_start"] != "2026-11-27T16:22:18.967134Z" || e["dnis"] != "600"):
			t.Errorf("call %v", e)
		}
	}
	if count(got, "agent_connect") != 1 || count(got, "queue_enter") != 2 {
		t.Errorf("events %v, want the conversation that goes on", got)
	}
	stamp := "1795796550000000"
	f.send(spoken("Event-Name", "CHANNEL_HANGUP", "Event-Date-Timestamp", stamp, "Unique-ID", agent, "Hangup-Cause", "NORMAL_CLEARING"))
	f.send(spoken("Event-Name", "CHANNEL_HANGUP_COMPLETE", "Event-Date-Timestamp", stamp, "Unique-ID", agent, "variable_sip_hangup_disposition", "recv_bye"))
	for _, e := range r.await(t, "agent_termination", 1) {
		if e["event"] == "agent_termination" && (e["agent_duration"] != 6.873 || e["term_reason"] != "agent" || e["recording"] != member+"-1001.wav") {
			t.Errorf("segment %v", e)
		}
	}
}

// What ends while FreeSWITCH is asked about one channel after the other is over:
// nobody would ever say so again.
func TestEndsWhileAsked(t *testing.T) {
	const member, agent = "4db8429d-21ce-4186-9f1b-54aa5bd1eed7", "04fe691f-b3c0-434d-84dc-56a209656ec1"
	s := NewSource(options(t, newFake(t), newTaker()), nil)
	now := time.Now()
	n := session{source: s, began: now, ping: now, asked: []string{"uuid_dump 1", "uuid_dump 2", askAgents}, survey: survey{machine: s.machine, listed: true}}
	n.overdue = time.AfterFunc(time.Hour, n.settle)
	defer n.overdue.Stop()
	answer := func(text string) esl.Message { return esl.Message{Type: "api/response", Text: text} }
	over := func(id string) esl.Message {
		text := "Event-Name: CHANNEL_HANGUP_COMPLETE\nEvent-Date-Timestamp: 1795796550000000\nUnique-ID: " + id + "\n\n"
		return esl.Message{Type: "text/event-plain", Event: esl.Parse(text)}
	}
	for _, m := range []esl.Message{
		answer(string(unpacked(t, "esl/reconnect/uuid_dump-1.json.gz"))),
		answer(string(unpacked(t, "esl/reconnect/uuid_dump-2.json.gz"))),
		over(member), over(agent), answer(""),
	} {
		if err := n.take(m, now); err != nil {
			t.Fatal(err)
		}
	}
	if !n.settled || len(s.machine.legs)+len(s.machine.calls) > 0 {
		t.Errorf("settled: %v; left: %d legs, %d calls", n.settled, len(s.machine.legs), len(s.machine.calls))
	}
}

// When too much is heard while FreeSWITCH is asked, its answers are waited for
// no more.
func TestMuchIsHeardWhileAsked(t *testing.T) {
	s := NewSource(options(t, newFake(t), newTaker()), nil)
	n := session{source: s, began: time.Now(), ping: time.Now(), asked: []string{askChannels, askAgents, askStatus}, survey: survey{machine: s.machine}}
	for _, bytes := range []int{maxHeld / 2, maxHeld / 2} {
		if n.settled {
			t.Error("settled too early")
		}
		text := "Event-Name: CHANNEL_CREATE\nEvent-Date-Timestamp: 1795796550000000\nUnique-ID: u\n\n"
		if err := n.take(esl.Message{Type: "text/event-plain", Bytes: bytes, Event: esl.Parse(text)}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if !n.settled || len(s.machine.legs) != 1 || len(n.survey.events) > 0 {
		t.Errorf("settled: %v; %d legs, %d events wait", n.settled, len(s.machine.legs), len(n.survey.events))
	}
}

// A list of channels that is too long to be read takes no other answer's place.
func TestLargeAnswer(t *testing.T) {
	agents := string(unpacked(t, "esl/reconnect/callcenter-agents.txt.gz"))
	f, r := newFake(t), newTaker()
	f.set(askAgents, strings.ReplaceAll(agents, "|0|2|2|0|0", "|0|0|2|0|0")) // nothing answered yet
	run(t, NewSource(options(t, f, r), nil))
	f.awaitClient(t)
	f.send(wire(t, "q_abandon"))
	r.await(t, "post_call", 1)
	f.set(askAgents, agents)
	f.set(askChannels, strings.Repeat(" ", esl.MaxMessage+1))
	f.cut()
	f.awaitClient(t)
	for _, e := range r.await(t, "relay_gap", 1) {
		if e["event"] == "relay_gap" && (e["segments_missing"] != 2.0 || e["channels_compared"] != false) {
			t.Errorf("gap %v, want one that counts the agents' calls", e)
		}
	}
}

// A restart of the relay goes on with the calls in progress.
func TestRestart(t *testing.T) {
	f, r := newFake(t), newTaker()
	o := options(t, f, r)
	stop := run(t, NewSource(o, nil))
	f.awaitClient(t)
	whole := wire(t, "q_caller_hangs_up")
	at := bytes.Index(whole, []byte("Event-Name: CHANNEL_HANGUP\n"))
	at = bytes.LastIndex(whole[:at], []byte("Content-Length"))
	f.send(whole[:at])
	r.await(t, "agent_connect", 1)
	stop()
	f.mu.Lock()
	f.mute = true // it says nothing of its channels
	f.mu.Unlock()
	run(t, NewSource(o, nil))
	f.awaitClient(t)
	f.send(whole[at:])
	got := r.await(t, "post_call", 1)
	check(t, got, wanted(t)["q_caller_hangs_up"])
	ids(t, got)
}

func TestWrongPassword(t *testing.T) {
	f, r := newFake(t), newTaker()
	o := options(t, f, r)
	o.Config.Password = secretOf("wrong")
	s := NewSource(o, nil)
	run(t, s)
	until(t, "an error", func() bool { return s.Status().LastError != "" })
	if got := s.Status().LastError; !strings.Contains(got, "invalid") || strings.Contains(got, "wrong") {
		t.Errorf("error %q", got)
	}
}

// An event of 1 MiB is taken, and one that is longer than any passed over and
// counted; what follows is taken.
func TestLargeEvents(t *testing.T) {
	f, r := newFake(t), newTaker()
	s := NewSource(options(t, f, r), nil)
	run(t, s)
	f.awaitClient(t)
	long := strings.Repeat("x", 1<<20)
	f.send(spoken("Event-Name", "CHANNEL_CREATE", "Event-Date-Timestamp", "1795795321000000", "Unique-ID", "u", "Call-Direction", "inbound", "variable_x", long))
	f.send(spoken("Event-Name", "CHANNEL_HANGUP_COMPLETE", "Event-Date-Timestamp", "1795795322000000", "Unique-ID", "u", "variable_hangup_cause", "NORMAL_CLEARING"))
	r.await(t, "post_call", 1)
	f.send(spoken("Event-Name", "CHANNEL_CREATE", "Unique-ID", "v", "variable_x", strings.Repeat(long, 5)))
	f.send(wire(t, "q_abandon"))
	r.await(t, "queue_abandon", 1)
	if n := s.Status().Unturned; n != 1 {
		t.Errorf("unturned %d, want the one event that was too long", n)
	}
}

// While the relay takes nothing the socket is drained, and what does not fit
// is counted.
func TestRefusal(t *testing.T) {
	f, r := newFake(t), newTaker()
	r.refusal = errors.New("queue full")
	o := options(t, f, r)
	o.Spool = 3
	s := NewSource(o, nil)
	run(t, s)
	f.awaitClient(t)
	f.send(wire(t, "q_caller_hangs_up"))
	until(t, "a full spool", func() bool { st := s.Status(); return st.Spooled == 3 && st.Calls == 0 && st.Refusal != "" })
	r.mu.Lock()
	r.refusal = nil
	r.mu.Unlock()
	for _, e := range r.await(t, "relay_gap", 1) {
		if e["event"] == "relay_gap" && (e["reason"] != source.GapSpool || e["events_dropped"] != 5.0) {
			t.Errorf("gap %v, want one that counts 5", e)
		}
	}
}
