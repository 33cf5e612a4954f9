package asterisk

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// channelsOf lists the live channels of a machine that saw all, as Asterisk
// lists them.
func channelsOf(m *machine, heard []ami.Message) []ami.Message {
	queue := map[string]string{}
	for _, ev := range heard {
		if ev.Event() == "QueueCallerJoin" {
			queue[ev.Get("Uniqueid")] = ev.Get("Queue")
		}
	}
	var list []ami.Message
	for _, c := range m.calls {
		for _, l := range c.sorted() {
			if l.Gone {
				continue
			}
			app, data, state := "AppDial", "(Outgoing Line)", "5"
			switch {
			case l.Caller:
				app, data = "Queue", queue[l.ID]+",tT,,,60"
			case l.Segment != nil && l.Segment.Queue != "":
				app, state = "AppQueue", "6"
			}
			list = append(list, ami.Message{
				{Name: "Event", Value: "CoreShowChannel"},
				{Name: "Channel", Value: l.Channel},
				{Name: "Uniqueid", Value: l.ID},
				{Name: "Linkedid", Value: c.ID},
				{Name: "CallerIDNum", Value: c.ANI},
				{Name: "Exten", Value: "q"},
				{Name: "Application", Value: app},
				{Name: "ApplicationData", Value: data},
				{Name: "ChannelState", Value: state},
				{Name: "BridgeId", Value: l.Bridge},
			})
		}
	}
	slices.SortFunc(list, func(a, b ami.Message) int { return strings.Compare(a.Get("Uniqueid"), b.Get("Uniqueid")) })
	return list
}

func queuesOf(m *machine) []ami.Message {
	var list []ami.Message
	for _, queue := range slices.Sorted(maps.Keys(m.tallies)) {
		list = append(list, ami.Message{
			{Name: "Event", Value: "QueueParams"},
			{Name: "Queue", Value: queue},
			{Name: "Completed", Value: strconv.Itoa(m.tallies[queue].Completed)},
			{Name: "Abandoned", Value: strconv.Itoa(m.tallies[queue].Abandoned)},
		})
	}
	for i, name := range []string{"Agent One", "Agent Two"} {
		list = append(list, ami.Message{
			{Name: "Event", Value: "QueueMember"},
			{Name: "Queue", Value: []string{"support", "support2"}[i]},
			{Name: "Location", Value: fmt.Sprintf("PJSIP/a%d", i+1)},
			{Name: "Name", Value: name},
		})
	}
	return list
}

// counted is a machine that knows the queues' counts from the start.
func counted() *machine {
	m := testMachine()
	for _, queue := range []string{"support", "support2", "burst"} {
		m.tallies[queue] = tally{}
	}
	return m
}

// gapped plays a transcript of which nothing is heard between two of its
// events. The relay restarts meanwhile, and keeps only what it saved.
func gapped(t *testing.T, events []ami.Message, from, to int) (all []source.Event, after *machine) {
	t.Helper()
	whole, before := counted(), counted()
	for i, ev := range events[:to] {
		whole.apply(ev, ev.Stamp())
		if i < from {
			all = append(all, before.apply(ev, ev.Stamp())...)
		}
	}
	saved, err := json.Marshal(before.State())
	if err != nil {
		t.Fatal(err)
	}
	after = testMachine()
	if err := json.Unmarshal(saved, after.State()); err != nil {
		t.Fatal(err)
	}
	after.Restored()
	heard := after.Last
	afterGap{after}.resume(events[to].Stamp())
	all = append(all, afterGap{after}.reconcile(source.GapRestart, heard, channelsOf(whole, events[:to]), queuesOf(whole))...)
	for id, l := range whole.legs {
		if len(l.Files) > 0 {
			after.named(id, l.Files[0].Name)
		}
	}
	for _, ev := range events[to:] {
		all = append(all, after.apply(ev, ev.Stamp())...)
	}
	return all, after
}

// TestGapAnywhere loses stretches of each call, long and short, and counts: a
// segment is delivered once, or a gap counts it.
func TestGapAnywhere(t *testing.T) {
	for _, name := range []string{"single-caller", "transfer", "atxfer-ami", "redirect-ami", "abandon"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := telling(transcript(t, name))
			want := count(t, play(t, counted(), events))
			for from := 1; from < len(events)-1; from += 1 + len(events)/25 {
				for to := from; to < len(events); to++ {
					all, after := gapped(t, events, from, to)
					problem := compare(count(t, all), want)
					if problem != "" || len(after.calls) > 0 {
						t.Fatalf("nothing heard from %d %s to %d %s: %s, %d calls left",
							from, events[from].Event(), to, events[to].Event(), problem, len(after.calls))
					}
				}
			}
		})
	}
}

// telling leaves the events that tell something.
func telling(events []ami.Message) []ami.Message {
	tell := []string{
		"Newchannel", "QueueCallerJoin", "QueueCallerAbandon", "AgentConnect", "AgentComplete", "MixMonitorStart",
		"BridgeEnter", "BridgeLeave", "BlindTransfer", "AttendedTransfer", "HangupRequest", "Hangup",
	}
	return slices.DeleteFunc(events, func(m ami.Message) bool {
		return !slices.Contains(tell, m.Event()) && m.Get("Variable") != fileVariable
	})
}

// counts is how often each event came, by id, and what gaps count.
type counts struct {
	ids     map[string]int
	agents  map[string]string // of agent_termination, by id
	missing int
}

func count(t testing.TB, all []source.Event) counts {
	c := counts{ids: map[string]int{}, agents: map[string]string{}}
	for _, o := range all {
		e := decode(t, o)
		c.ids[e["id"].(string)]++
		if o.Name == "agent_termination" {
			c.agents[e["id"].(string)] = fmt.Sprint(e["agent_id"], e["queue"], e["recording"])
		}
		if o.Name == "relay_gap" {
			c.missing += int(e["segments_missing"].(float64))
		}
	}
	return c
}

func compare(got, want counts) string {
	for id, n := range got.ids {
		if n > 1 {
			return id + " came twice"
		}
		if want.ids[id] == 0 && !strings.Contains(id, "relay_gap") {
			return id + " was made up"
		}
	}
	for id, agent := range got.agents {
		if agent != want.agents[id] && !strings.Contains(agent, "<nil>") { // unknown is not wrong
			return fmt.Sprintf("%s is of %s, want %s", id, agent, want.agents[id])
		}
	}
	if lost := len(want.agents) - len(got.agents); got.missing < lost {
		return fmt.Sprintf("%d segments and %d counted as missing, want %d", len(got.agents), got.missing, len(want.agents))
	}
	return ""
}

// inProgress is a call to an agent as Asterisk lists it.
func inProgress() []ami.Message {
	return []ami.Message{
		{
			{Name: "Event", Value: "CoreShowChannel"},
			{Name: "Channel", Value: "PJSIP/trunk-1"},
			{Name: "Uniqueid", Value: "1795442309.1"},
			{Name: "Linkedid", Value: "1795442309.1"},
			{Name: "CallerIDNum", Value: "15550100"},
			{Name: "Exten", Value: "q"},
			{Name: "Application", Value: "Queue"},
			{Name: "ApplicationData", Value: "support,tT"},
			{Name: "BridgeId", Value: "b1"},
		},
		{
			{Name: "Event", Value: "CoreShowChannel"},
			{Name: "Channel", Value: "PJSIP/a1-2"},
			{Name: "Uniqueid", Value: "1795442309.2"},
			{Name: "Linkedid", Value: "1795442309.1"},
			{Name: "Application", Value: "AppQueue"},
			{Name: "BridgeId", Value: "b1"},
		},
	}
}

func TestFoundInProgress(t *testing.T) {
	m := testMachine()
	at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	afterGap{m}.resume(at)
	channels := inProgress()
	queues := []ami.Message{{{Name: "Event", Value: "QueueMember"}, {Name: "Queue", Value: "support"}, {Name: "Location", Value: "PJSIP/a1"}, {Name: "Name", Value: "Agent One"}}}
	found := afterGap{m}.reconcile(source.GapStart, time.Time{}, channels, queues)
	if len(found) != 1 || decode(t, found[0])["segments_found"] != 1.0 || decode(t, found[0])["from"] != nil {
		t.Fatalf("events %s, want one gap that counts the segment found", found)
	}
	m.named("1795442309.2", "/cs/rec/x.wav")
	end := m.apply(ami.Message{{Name: "Event", Value: "Hangup"}, {Name: "Uniqueid", Value: "1795442309.2"}, {Name: "Linkedid", Value: "1795442309.1"}}, at.Add(time.Second))
	checkAccepted(t, end)
	got, want := string(end[0].Body), `{"id":"pbx1/1795442309.1/1795442309.2/agent_termination","event":"agent_termination","source":"pbx1","queue":"support",`+
		`"uii":"1795442309.1","direction":"inbound","segment_id":"1795442309.2","agent_id":"PJSIP/a1","agent_username":"Agent One","agent_device":"PJSIP/a1","ani":"15550100",`+
		`"segment_end":"2026-11-23T14:00:01.000000Z","term_reason":"","recording":"x.wav"}`
	if len(end) != 1 || got != want {
		t.Errorf("end of a segment found in progress:\n%s\nwant what is known and no more:\n%s", got, want)
	}
}

func TestGapOfAnIdleAsterisk(t *testing.T) {
	m := testMachine()
	at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	afterGap{m}.resume(at)
	if got := (afterGap{m}).reconcile(source.GapStart, time.Time{}, nil, nil); len(got) != 0 {
		t.Errorf("first start beside an idle Asterisk: %s, want no event", got)
	}
	afterGap{m}.resume(at.Add(time.Minute))
	got := afterGap{m}.reconcile(source.GapDisconnect, at, nil, nil)
	if len(got) != 1 {
		t.Fatalf("after a break: %s, want a gap", got)
	}
	e := decode(t, got[0])
	if e["from"] != "2026-11-23T14:00:00.000000Z" || e["to"] != "2026-11-23T14:01:00.000000Z" || e["count"] != 0.0 {
		t.Errorf("gap = %v, want from 14:00 to 14:01 and a count of 0", e)
	}
}

func TestQueueCounts(t *testing.T) {
	params := func(completed, abandoned int) ami.Message {
		return ami.Message{{Name: "Queue", Value: "support"}, {Name: "Completed", Value: strconv.Itoa(completed)}, {Name: "Abandoned", Value: strconv.Itoa(abandoned)}}
	}
	m := testMachine()
	for _, test := range []struct {
		name string
		now  ami.Message
		want tally
		anew bool
	}{
		{"the first counts say nothing", params(7, 3), tally{}, false},
		{"nothing happened", params(7, 3), tally{}, false},
		{"two conversations and a caller who gave up", params(9, 4), tally{2, 1}, false},
		{"Asterisk restarted and counts anew", params(1, 0), tally{1, 0}, true},
	} {
		if got, anew := (afterGap{m}).retally(test.now); got != test.want || anew != test.anew {
			t.Errorf("%s: missed %v, anew %v, want %v, %v", test.name, got, anew, test.want, test.anew)
		}
	}
}

// TestAsteriskRestart ends an Asterisk in mid-call: the segment that was open
// ended with it, and the queue counted another one since.
func TestAsteriskRestart(t *testing.T) {
	m := testMachine()
	m.tallies["support"] = tally{Completed: 7}
	events := transcript(t, "single")
	play(t, m, events[:slices.IndexFunc(events, isEvent("HangupRequest"))])
	since := events[len(events)-1].Stamp().Add(time.Minute)
	afterGap{m}.resume(since)
	got := afterGap{m}.reconcile(source.GapDisconnect, since.Add(-time.Minute), nil, []ami.Message{
		{{Name: "Event", Value: "QueueParams"}, {Name: "Queue", Value: "support"}, {Name: "Completed", Value: "1"}},
	})
	checkAccepted(t, got)
	if want := []string{"agent_termination", "call_end", "post_call", "relay_gap"}; !slices.Equal(names(got), want) {
		t.Fatalf("events %s, want %s", names(got), want)
	}
	if gap := decode(t, got[3]); gap["segments_ended"] != 1.0 || gap["segments_missing"] != 1.0 || gap["count"] != 2.0 {
		t.Errorf("gap %v, want one segment ended and one missing", gap)
	}
}
