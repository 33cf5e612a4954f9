package freeswitch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source/freeswitch/esl"
)

// A segment is reported once, whichever one event of its call is not heard:
// what is heard later says what was. A consultation may become a call of its
// own then.
func TestAnEventIsNotHeard(t *testing.T) {
	for scenario := range wanted(t) {
		if scenario == "made_member_is_b_leg" || scenario == "made_old_callflow" || scenario == "uuid_transfer_as_readme" || scenario == "q_standby" {
			continue
		}
		whole := channelsOnly(heard(t, scenario))
		stamp := whole[len(whole)-1].Stamp().Add(time.Minute).UnixMicro()
		late := esl.Parse(fmt.Sprintf("Event-Name: HEARTBEAT\nEvent-Date-Timestamp: %d\n\n", stamp))
		want := segmentsOf(play(t, testMachine(), whole))
		for i, ev := range whole {
			got := segmentsOf(play(t, testMachine(), append(slices.Delete(slices.Clone(whole), i, i+1), late)))
			got = slices.DeleteFunc(got, func(s string) bool {
				return !slices.ContainsFunc(want, func(w string) bool { return w[:4] == s[:4] })
			})
			if !slices.Equal(got, want) {
				t.Errorf("%s without %s %s of %.4s:\n%q, want\n%q", scenario, ev.Name(), ev.Get("CC-Action"), ev.Get("Unique-ID"), got, want)
			}
		}
	}
}

// segmentsOf says which segments ended: call, leg, agent, queue.
func segmentsOf(events []map[string]any) []string {
	var all []string
	for _, e := range events {
		if e["event"] == "agent_termination" {
			all = append(all, fmt.Sprintf("%.4s %.4s %v %v", e["uii"], e["segment_id"], e["agent_id"], e["queue"]))
		}
	}
	slices.Sort(all)
	return all
}

// Calls of agents that are heard while FreeSWITCH is asked what goes on, or
// that it says go on, are no missing ones later; those of a time without
// connection are, also after it began to count anew.
func TestCountersOfAgents(t *testing.T) {
	m := testMachine()
	table := func(n int) string { return fmt.Sprintf("name|calls_answered\n1001@default|%d\n+OK\n", n) }
	gaps := func(answered, while int) (missing int) {
		v := survey{machine: m, listed: true, agents: table(answered)}
		for _, o := range v.reconcile("disconnected", time.Unix(1, 0), time.Unix(2, 0), true) {
			fmt.Sscan(strings.SplitN(string(o.Body), `"segments_missing":`, 2)[1], &missing) //nolint:errcheck // zero then
		}
		m.heard["1001@default"] += while // after the answer
		return missing
	}
	gaps(5, 2)
	for _, step := range []struct{ answered, while, want int }{{7, 0, 0}, {9, 1, 2}, {10, 0, 0}, {3, 0, 3}, {4, 0, 1}} {
		if got := gaps(step.answered, step.while); got != step.want {
			t.Errorf("%d answered: %d missing, want %d", step.answered, got, step.want)
		}
	}
}

// A gap in which FreeSWITCH said nothing ends when it was asked.
func TestGapWithoutAWord(t *testing.T) {
	m := testMachine()
	m.Last = time.Unix(100, 0)
	var ids []string
	for i := range 2 {
		for _, o := range (&survey{machine: m}).reconcile("disconnected", m.Last, time.Unix(200+int64(i), 0), true) {
			ids = append(ids, o.ID)
		}
	}
	if len(ids) != 2 || ids[0] == ids[1] || !strings.Contains(ids[0], "100000000-200000000") {
		t.Errorf("gaps %q, want two with ends of their own", ids)
	}
}

// Events of two legs that come at nearly one moment may come in either order.
func TestEventsComeInAnotherOrder(t *testing.T) {
	for scenario := range wanted(t) {
		if scenario == "made_member_is_b_leg" || scenario == "made_old_callflow" || scenario == "uuid_transfer_as_readme" || scenario == "q_standby" {
			continue
		}
		whole := channelsOnly(heard(t, scenario))
		want := happened(play(t, testMachine(), whole))
		for i, ev := range whole[:len(whole)-1] {
			next := whole[i+1]
			if ev.Get("Unique-ID") == next.Get("Unique-ID") || next.Stamp().Sub(ev.Stamp()) > 100*time.Millisecond {
				continue
			}
			events := slices.Clone(whole)
			events[i], events[i+1] = next, ev
			if got := happened(play(t, testMachine(), events)); !slices.Equal(got, want) {
				t.Errorf("%s, %s of %.4s after %s of %.4s:\n%q, want\n%q", scenario, ev.Name(), ev.Get("Unique-ID"), next.Name(), next.Get("Unique-ID"), got, want)
			}
		}
	}
}

// channelsOnly leaves the events that a source subscribes to.
func channelsOnly(events []esl.Event) []esl.Event {
	return slices.DeleteFunc(events, func(ev esl.Event) bool {
		return !slices.Contains(channelEvents, ev.Name()) && ev.Name() != ccEvent
	})
}

// happened are all events but rings, in short.
func happened(events []map[string]any) []string {
	var all []string
	for _, e := range events {
		if e["event"] != "agent_ring" {
			all = append(all, fmt.Sprint(e["event"], e["uii"], e["segment_id"], e["agent_id"], e["queue"], e["term_reason"], e["agent_duration"], e["call_result"], e["direction"]))
		}
	}
	slices.Sort(all)
	return all
}
