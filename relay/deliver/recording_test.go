package deliver

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/exchange"
)

// fakeRecordings are files that a test completes.
type fakeRecordings struct {
	counted []bool  // whether each delivery left with its recording
	content string  // of each that is opened
	opens   []error // why the next ones cannot be opened; nil: it can
	closed  int
	mu      sync.Mutex
	ready   map[string]bool
	watches map[string][]func()
	late    []string
	agent   []string // looked at as an agent's recording
	until   time.Time
	links   int
}

func newFakeRecordings() *fakeRecordings {
	return &fakeRecordings{ready: map[string]bool{}, watches: map[string][]func(){}}
}

// Look implements Recordings.
func (f *fakeRecordings) Look(path string, start, end float64) Recording {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case path == "never.wav":
		return Recording{State: RecordingMissing}
	case !f.ready[path]:
		return Recording{State: RecordingPending}
	}
	seconds := 12.5
	if end > 0 {
		seconds = end - start
	}
	return Recording{
		State: RecordingReady, Name: path, Type: "audio/wav", Bytes: 1044, Seconds: seconds, Channels: 2,
		SHA256: func() string { return "abc" }, Open: f.open,
	}
}

// LookAgent implements Recordings.
func (f *fakeRecordings) LookAgent(path string) Recording {
	f.mu.Lock()
	f.agent = append(f.agent, path)
	f.mu.Unlock()
	return f.Look(path, -1, -1)
}

// Link implements Recordings.
func (f *fakeRecordings) Link(path, access string, _ time.Time, start, end float64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if path == "unlinked.wav" {
		return ""
	}
	f.links++
	return fmt.Sprintf("https://rec/%s?access=%s&slice=%g-%g&n=%d", path, access, start, end, f.links)
}

// Watch implements Recordings.
func (f *fakeRecordings) Watch(path string, ready func()) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ready[path] {
		go ready()
		return func() {}
	}
	f.watches[path] = append(f.watches[path], ready)
	return func() {}
}

// Count implements Recordings.
func (f *fakeRecordings) Count(_, missing string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counted = append(f.counted, missing == "")
}

// Late implements Recordings.
func (f *fakeRecordings) Late(path string, _ *call.Event, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late, f.until = append(f.late, path), until
}

// Settings implements Recordings.
func (f *fakeRecordings) Settings() (time.Duration, bool) { return 2 * time.Minute, true }

func (f *fakeRecordings) complete(path string) {
	f.mu.Lock()
	f.ready[path] = true
	watches := f.watches[path]
	delete(f.watches, path)
	f.mu.Unlock()
	for _, ready := range watches {
		ready()
	}
}

func (f *fakeRecordings) lates() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.late)
}

// recorded is a relay.toml whose service uses recordings.
const recorded = `recording_access = "basic"
headers = { X-State = "#recording_state#", X-Facts = "#recording_bytes# #recording_seconds# #recording_channels# #recording_sha256#", X-Link = "#recording_url#", X-Agent = "#sess_agent_perspective_recording_url#" }`

// withRecording owes events of which each has a recording of its own.
func withRecording(n int) []queue.Record {
	var recs []queue.Record
	for _, id := range names("r", n) {
		recs = append(recs, record("crm", id, `,"recording":"`+id+`.wav","recording_start":1,"recording_end":2.5`))
	}
	return recs
}

// recordingBubble is a bubble with recordings, whose attempts keep the headers.
func recordingBubble(t *testing.T, more string, test func(b *bench, f *fakeRecordings, headers func() []string)) {
	t.Helper()
	bubble(t, recorded+"\n"+more, func(b *bench) {
		f := newFakeRecordings()
		b.env.recordings, b.env.late = f, time.Hour
		b.apply(b.setupOf(b.table.Service("crm"), time.Now()), b.endpoint, false)
		var mu sync.Mutex
		var seen []string
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, strings.Join([]string{
				a.Header.Get("X-State"), a.Header.Get("X-Facts"), a.Header.Get("X-Link"), a.Header.Get("X-Agent"),
			}, "|"))
			return exchange.Reply{Status: 200}, nil
		})
		test(b, f, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(seen)
		})
	})
}

func TestADeliveryWaitsForItsRecording(t *testing.T) {
	recordingBubble(t, "", func(b *bench, f *fakeRecordings, headers func() []string) {
		b.lane.owe(withRecording(2)...)
		b.after(30 * time.Second)
		if n := len(headers()); n != 0 {
			t.Fatalf("%d attempts before the recordings are complete", n)
		}
		f.complete("r-1.wav")
		b.after(time.Millisecond)
		got := headers()
		if len(got) != 1 || got[0] != "ready|1044 1.5 2 abc|https://rec/r-1.wav?access=basic&slice=1-2.5&n=1|" {
			t.Errorf("got %q", got)
		}
		b.after(2 * time.Minute)
		got = headers()
		if len(got) != 2 || !strings.HasPrefix(got[1], "missing|   |https://rec/r-0.wav") {
			t.Errorf("got %q", got)
		}
		if late := f.lates(); !slices.Equal(late, []string{"r-0.wav"}) {
			t.Errorf("late = %v, want the one that went out without", late)
		}
		if left := time.Until(f.until); left < 59*time.Minute || left > time.Hour {
			t.Errorf("watched for %s more, want an hour after the wait", left)
		}
		if n := b.lane.tally(); n.done != 2 || b.attempts()[1].number != 1 {
			t.Errorf("%+v, %v: waiting is no attempt", n, b.attempts())
		}
	})
}

// TestMissingIsFollowed has one that can never be there, which nobody waits for,
// and the event that follows it, which waits for nothing either.
func TestMissingIsFollowed(t *testing.T) {
	recordingBubble(t, "", func(b *bench, f *fakeRecordings, headers func() []string) {
		b.lane.owe(record("crm", "n-0", `,"recording":"never.wav"`))
		b.after(time.Second)
		if late := f.lates(); len(headers()) != 1 || !slices.Equal(late, []string{"never.wav"}) {
			t.Errorf("%d attempts, late = %v, want the one that is missing", len(headers()), late)
		}
		failed := record("crm", "n-1", `,"recording":"r.wav"`)
		failed.Body = bytes.Replace(failed.Body, []byte("agent_termination"), []byte(call.RecordingFailed), 1)
		b.lane.owe(failed)
		b.after(time.Second)
		if len(headers()) != 2 {
			t.Errorf("%s: %d attempts, want 2", failed.Body, len(headers()))
		}
	})
}

func TestManyWaitingForRecordingsHoldUpNobody(t *testing.T) {
	const many = maxRecordings + 500
	recordingBubble(t, "", func(b *bench, f *fakeRecordings, headers func() []string) {
		b.lane.owe(withRecording(many)...)
		b.after(time.Second)
		b.lane.owe(owed(50)...) // without one
		b.after(time.Second)
		if n := len(headers()); n != 50 {
			t.Errorf("%d of 50 others are delivered", n)
		}
		if n := b.lane.tally(); n.held < maxRecordings || n.held > maxRecordings+ahead*8 {
			t.Errorf("%d are held in memory, want %d or a few more", n.held, maxRecordings)
		}
		for _, id := range names("r", many) {
			f.complete(id + ".wav")
		}
		b.after(15 * time.Second)
		if n := b.lane.tally(); n.done != many+50 {
			t.Errorf("%+v, want all done once the recordings are there", n)
		}
		for _, a := range b.attempts() {
			if a.number != 1 {
				t.Fatalf("%s was attempt %d", a.id, a.number)
			}
		}
	})
}

func TestLargeEventsDoNotFillMemoryWhileTheyWait(t *testing.T) {
	recordingBubble(t, "", func(b *bench, f *fakeRecordings, _ func() []string) {
		const large, many = 256 << 10, 50
		recs := withRecording(many)
		for i, rec := range recs {
			recs[i].Body = append(bytes.TrimSuffix(rec.Body, []byte("}")), `,"notes":"`+strings.Repeat("n", large)+`"}`...)
		}
		b.lane.owe(recs...)
		b.after(time.Second)
		if n := b.lane.tally(); n.held > maxRecordingBytes/large+ahead*8 {
			t.Errorf("%d are held in memory", n.held)
		}
		for _, id := range names("r", many) {
			f.complete(id + ".wav")
		}
		b.after(15 * time.Second)
		if n := b.lane.tally(); n.done != many {
			t.Errorf("%+v, want all done once the recordings are there", n)
		}
	})
}

func TestLinksAreFreshAtEachAttempt(t *testing.T) {
	recordingBubble(t, "", func(b *bench, f *fakeRecordings, _ func() []string) {
		var links []string
		var mu sync.Mutex
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			mu.Lock()
			defer mu.Unlock()
			links = append(links, a.Header.Get("X-Link"))
			return exchange.Reply{Status: map[bool]int{true: 200, false: 500}[a.Number > 1]}, nil
		})
		f.complete("r-0.wav")
		b.lane.owe(withRecording(1)...)
		b.after(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(links) != 2 || links[0] == links[1] {
			t.Errorf("links = %q, want two that differ", links)
		}
	})
}

func TestTagsOfRecordings(t *testing.T) {
	table := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/", recorded))
	f := newFakeRecordings()
	f.ready["a.wav"], f.ready["d.wav"], f.ready["unlinked.wav"] = true, true, true
	for _, test := range []struct {
		name       string
		members    string
		recordings Recordings
		want       string // state|link|agent link
	}{
		{"none of its own", ``, f, "none||"},
		{"there is none, says the event", `,"recording":""`, f, "none||"},
		{"a link that the event brought", `,"recording_url":"https://elsewhere/x"`, f, "none|https://elsewhere/x|"},
		{"complete", `,"recording":"a.wav"`, f, "ready|https://rec/a.wav?access=basic&slice=-1--1&n=1|"},
		{"not there", `,"recording":"b.wav"`, f, "missing|https://rec/b.wav?access=basic&slice=-1--1&n=2|"},
		{"dual channel", `,"agent_perspective_recording":"d.wav"`, f, "none||https://rec/d.wav?access=basic&slice=-1--1&n=3"},
		{"complete, and may not be linked", `,"recording":"unlinked.wav"`, f, "missing||"},
		{"a relay without recordings", `,"recording":"a.wav","agent_perspective_recording":"d.wav"`, noRecordings{}, "none||"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := call.Parse(record("crm", "x", test.members).Body, "x")
			if err != nil {
				t.Fatal(err)
			}
			v := tags{event: e, service: table.Service("crm"), recordings: test.recordings, attempt: 1, now: testTime}
			got := v.value("recording_state").Text + "|" + v.value("recording_url").Text + "|" + v.value("sess_agent_perspective_recording_url").Text
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if !slices.Equal(f.agent, []string{"d.wav"}) {
		t.Errorf("looked at as agents' recordings: %v, want the dual-channel one alone", f.agent)
	}
}
