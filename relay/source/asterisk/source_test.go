package asterisk

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

func TestSource(t *testing.T) {
	t.Parallel()
	f, r := newFake(t), newTaker()
	s := New(options(f, r))
	run(t, s)
	until(t, "a connection", func() bool { return s.Status().Connected })
	f.send(transcript(t, "single")...)
	got := r.await(t, "post_call")
	if want := names(play(t, testMachine(), transcript(t, "single"))); !slices.Equal(names(got), want) {
		t.Errorf("events %s, want %s", names(got), want)
	}
	until(t, "all settled", func() bool { return s.Status().Turned == 8 })
	if st := s.Status(); st.Spooled != 0 || st.Unturned != 0 || st.Gaps != 0 || st.Calls != 0 || st.Since.IsZero() {
		t.Errorf("status %+v", st)
	}
}

// TestBreak breaks the connection in mid-call: the segment ends while nobody
// listens.
func TestBreak(t *testing.T) {
	t.Parallel()
	f, r := newFake(t), newTaker()
	s := New(options(f, r))
	run(t, s)
	until(t, "a connection", func() bool { return s.Status().Connected })
	events := transcript(t, "single")
	end := slices.IndexFunc(events, isEvent("HangupRequest"))
	f.send(events[:end]...)
	r.await(t, "agent_connect")
	f.is(time.Unix(1795442400, 0), nil)
	f.hangUp()
	got := r.await(t, "relay_gap")
	want := []string{"call_start", "queue_enter", "agent_ring", "dequeue", "agent_connect", "agent_termination", "call_end", "post_call", "relay_gap"}
	if !slices.Equal(names(got), want) {
		t.Fatalf("events %s, want %s", names(got), want)
	}
	segment, gap := decode(t, got[5]), decode(t, got[8])
	for _, unknown := range []string{"segment_end", "agent_duration", "duration"} {
		if v, ok := segment[unknown]; ok {
			t.Errorf("%s = %v of a segment whose end nobody saw", unknown, v)
		}
	}
	if gap["reason"] != source.GapDisconnect || gap["segments_ended"] != 1.0 || gap["from"] != source.Written(events[end-1].Stamp()) || gap["to"] != "2026-11-23T14:00:00.000000Z" {
		t.Errorf("gap %v", gap)
	}
}

// TestNoRightToCompare says that channels were not compared, and ends nothing
// on suspicion.
func TestNoRightToCompare(t *testing.T) {
	t.Parallel()
	f, r := newFake(t), newTaker()
	f.denies = true
	s := New(options(f, r))
	run(t, s)
	r.await(t, "relay_gap") // nothing is known of the calls that go on at the start
	events := transcript(t, "single")
	end := slices.IndexFunc(events, isEvent("HangupRequest"))
	f.send(events[:end]...)
	r.await(t, "agent_connect")
	f.hangUp()
	until(t, "a second gap", func() bool { return s.Status().Gaps == 2 })
	f.send(events[end:]...)
	got := r.await(t, "post_call")
	want := []string{"relay_gap", "call_start", "queue_enter", "agent_ring", "dequeue", "agent_connect", "relay_gap", "agent_termination", "call_end", "post_call"}
	if !slices.Equal(names(got), want) {
		t.Fatalf("events %s, want %s", names(got), want)
	}
	if gap := decode(t, got[6]); gap["channels_compared"] != false || gap["count"] != 0.0 {
		t.Errorf("gap %v, want one that compared nothing", gap)
	}
}

// TestRestart restarts the relay in mid-call, with an event not yet taken; the
// call goes on.
func TestRestart(t *testing.T) {
	t.Parallel()
	f, r := newFake(t), newTaker()
	o := options(f, r)
	o.Store = &memory{}
	s := New(o)
	stop := run(t, s)
	until(t, "a connection", func() bool { return s.Status().Connected })
	events := transcript(t, "single")
	connect := slices.IndexFunc(events, isEvent("BridgeEnter"))
	end := slices.IndexFunc(events, isEvent("HangupRequest"))
	f.send(events[:connect]...)
	r.await(t, "dequeue")
	r.refuse(errors.New("queue full"))
	f.send(events[connect:end]...)
	until(t, "a spooled event", func() bool { return s.Status().Spooled == 1 })
	stop()

	whole := testMachine()
	play(t, whole, events[:end])
	f.is(events[end].Stamp().Truncate(time.Second), channelsOf(whole, events[:end]))
	f.hangUp()
	r.refuse(nil)
	s = New(o)
	run(t, s)
	until(t, "a gap", func() bool { return s.Status().Gaps == 1 })
	f.send(events[end:]...)
	got := r.await(t, "post_call")
	want := []string{"call_start", "queue_enter", "agent_ring", "dequeue", "agent_connect", "relay_gap", "agent_termination", "call_end", "post_call"}
	if !slices.Equal(names(got), want) {
		t.Fatalf("events %s, want %s", names(got), want)
	}
	whole = testMachine()
	if all := play(t, whole, events); string(got[6].Body) != string(all[5].Body) {
		t.Errorf("segment across a restart:\n%s\nwant:\n%s", got[6].Body, all[5].Body)
	}
}

// The file of a conversation that goes on when the relay begins is asked for.
func TestFileIsAskedFor(t *testing.T) {
	t.Parallel()
	f, r := newFake(t), newTaker()
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	f.is(now, inProgress())
	s := New(options(f, r))
	run(t, s)
	r.await(t, "relay_gap")
	named := func() bool {
		s.Lock()
		defer s.Unlock()
		return len(s.machine.unnamed()) == 0
	}
	until(t, "the name of the file", named)
	f.send(ami.Message{
		{Name: "Event", Value: "Hangup"},
		{Name: "Timestamp", Value: strconv.FormatInt(now.Unix()+1, 10)},
		{Name: "Uniqueid", Value: "1795442309.2"},
		{Name: "Linkedid", Value: "1795442309.1"},
	})
	got := r.await(t, "agent_termination")
	if e := decode(t, got[len(got)-1]); e["recording"] != "asked.wav" {
		t.Errorf("segment %v, want its recording", e)
	}
}

// TestRefusal keeps draining Asterisk while the relay takes nothing.
func TestRefusal(t *testing.T) {
	t.Parallel()
	f, r := newFake(t), newTaker()
	r.refuse(errors.New("queue full"))
	o := options(f, r)
	o.Spool = 6
	s := New(o)
	run(t, s)
	until(t, "a connection", func() bool { return s.Status().Connected })
	f.send(transcript(t, "single")...)
	until(t, "a full spool", func() bool { st := s.Status(); return st.Spooled == 6 && st.Calls == 0 && st.Refusal == "queue full" })
	r.refuse(nil)
	got := r.await(t, "relay_gap")
	want := []string{"call_start", "queue_enter", "agent_ring", "dequeue", "agent_connect", "agent_termination", "relay_gap"}
	if !slices.Equal(names(got), want) {
		t.Fatalf("events %s, want %s", names(got), want)
	}
	if gap := decode(t, got[6]); gap["reason"] != source.GapSpool || gap["events_dropped"] != 2.0 || gap["count"] != 2.0 {
		t.Errorf("gap %v, want one that counts 2", gap)
	}
}

// TestRefusedForGood gives up an event that the relay will never take, and
// counts it.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	f, r := newFake(t), newTaker()
	r.refuse(&callevent.Error{Problem: "too large", TooLarge: true})
	s := New(options(f, r))
	run(t, s)
	until(t, "a connection", func() bool { return s.Status().Connected })
	f.send(transcript(t, "abandon")...)
	until(t, "all events given up", func() bool { return s.Status().Unturned == 8 })
	if st := s.Status(); !strings.Contains(st.Problem, "too large") || st.Turned != 0 || st.Spooled != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestMetrics(t *testing.T) {
	f, r := newFake(t), newTaker()
	o := options(f, r)
	registry := prometheus.NewPedanticRegistry()
	o.Metrics = registry
	New(o)
	second := options(f, r)
	second.Config.Name, second.Metrics = "pbx2", registry
	New(second)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, family := range families {
		got = append(got, family.GetName())
		if n := len(family.GetMetric()); n != 2 {
			t.Errorf("%s has %d series, want one for each source", family.GetName(), n)
		}
	}
	want := []string{
		"relay_source_behind_seconds", "relay_source_connected", "relay_source_events_total", "relay_source_gaps_total",
		"relay_source_lag_seconds", "relay_source_limits", "relay_source_since_timestamp_seconds", "relay_source_spooled", "relay_source_unturned_total",
	}
	if !slices.Equal(got, want) {
		t.Errorf("metrics %q, want %q", got, want)
	}
}
