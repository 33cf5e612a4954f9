package callserver

import (
	"encoding/binary"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source/asterisk/ami"
	"callrelay/scripts/trial"
)

// TestCalls places one call of each kind and holds what arrives against what
// Asterisk told.
func TestCalls(t *testing.T) {
	for _, user := range []string{"relay", "relaymin"} {
		t.Run(user, func(t *testing.T) {
			relay, receiver := beside(t, user)
			for _, test := range kinds {
				t.Run(test.name, func(t *testing.T) {
					told, before := answered(t, relay, receiver, test.name, test.env, test.kind, test.want)
					relay.Until("as many webhooks as events", func() bool {
						return len(unrung(webhooks(t, receiver)[before:])) >= len(test.want)
					})
					got := unrung(webhooks(t, receiver)[before:])
					var lines []string
					for _, w := range got {
						lines = append(lines, strings.Join(strings.Fields(w.Event+" "+w.Queue+" "+w.Agent+" "+w.Reason), " "))
						if w.ANI != "15550100" {
							t.Errorf("%s: ani %q", w.ID, w.ANI)
						}
					}
					if want := slices.Sorted(slices.Values(test.want)); !slices.Equal(slices.Sorted(slices.Values(lines)), want) {
						t.Errorf("webhooks:\n%s\nwant in about this order:\n%s", strings.Join(lines, "\n"), strings.Join(test.want, "\n"))
					}
					if len(only(got, "agent_connect")) == 0 {
						<-time.After(ringsOn)
					}
					for _, w := range only(got, "agent_termination") {
						checkTimes(t, told, w)
						checkRecording(t, w, test.file)
						if user == "relay" && strings.HasSuffix(test.file, ".raw") { // relaymin does not see the options of MixMonitor
							checkPerspective(t, w)
						}
					}
				})
			}
			once(t, receiver)
		})
	}
}

// unrung leaves out what phones ring and who missed a call: the shapes hold that.
func unrung(all []webhook) []webhook {
	return slices.DeleteFunc(slices.Clone(all), func(w webhook) bool {
		return strings.HasPrefix(w.Event, "agent_ring") || w.Event == "call_missed"
	})
}

// answered places calls, anew when a phone did not answer that should have: it
// took what Asterisk still sent for an earlier call. It returns what Asterisk
// told, and how many webhooks had arrived before.
func answered(t *testing.T, relay *trial.Relay, receiver *trial.Receiver, name string, env []string, kind string, want []string) (told []ami.Message, before int) {
	t.Helper()
	for range 3 {
		before = len(receiver.Arrivals())
		told = call(t, name, env, kind)
		if !slices.ContainsFunc(want, func(line string) bool { return strings.HasPrefix(line, "agent_connect") }) ||
			slices.ContainsFunc(told, func(m ami.Message) bool { return m.Event() == "BridgeEnter" }) {
			return told, before
		}
		t.Log("a phone did not answer: calling again")
		relay.Until("the end of the call", func() bool {
			return slices.ContainsFunc(webhooks(t, receiver)[before:], func(w webhook) bool { return w.Event == "post_call" })
		})
		<-time.After(ringsOn)
	}
	return told, before
}

// ringsOn is how long Asterisk goes on to send to an agent who did not answer:
// the next one at that port would take it for its own call.
const ringsOn = 33 * time.Second

// kinds of calls, and what must arrive: event, queue, agent, reason.
var kinds = []struct {
	name, kind string
	env        []string
	file       string // what the recording's name adds to that of its leg; empty: .wav
	want       []string
}{
	{name: "single", kind: "single", want: single},
	{name: "single-caller", kind: "single-caller", want: replace(single, "PJSIP/a1 agent", "PJSIP/a1 caller")},
	{name: "transfer", kind: "transfer", want: transfer},
	{name: "transfer-ami", kind: "transfer-ami", want: transfer},
	{name: "transfer-dial", kind: "transfer-dial", want: []string{
		"call_start", "queue_enter support", "dequeue support PJSIP/a1", "agent_connect support PJSIP/a1",
		"agent_termination support PJSIP/a1 transfer", "transfer_termination support PJSIP/a1 transfer",
		"agent_connect PJSIP/a2", "agent_termination PJSIP/a2 agent", "call_end", "post_call support",
	}},
	{name: "atxfer", kind: "atxfer-ami", want: []string{
		"call_start", "queue_enter support", "dequeue support PJSIP/a1", "agent_connect support PJSIP/a1",
		"queue_enter support2", "dequeue support2 PJSIP/a2", "agent_connect support2 PJSIP/a2",
		"agent_termination support PJSIP/a1 transfer", "transfer_termination support PJSIP/a1 transfer",
		"agent_termination support2 PJSIP/a2 agent", "call_end", "post_call support2",
	}},
	{name: "redirect", kind: "redirect-ami", want: slices.DeleteFunc(slices.Clone(transfer), func(line string) bool {
		return strings.HasPrefix(line, "transfer_termination")
	})},
	{name: "direct", kind: "single", env: []string{"EXT=680"}, want: []string{
		"call_start", "agent_connect PJSIP/a1", "agent_termination PJSIP/a1 agent", "call_end", "post_call",
	}},
	{name: "pair", kind: "single", env: []string{"EXT=610"}, file: "_mix.wav", want: single},
	{name: "stereo", kind: "single", env: []string{"EXT=620"}, file: "_stereo.raw", want: single},
	{name: "abandon", kind: "abandon", want: abandon},
	{name: "noagent", kind: "noagent", want: abandon},
}

var (
	single = []string{
		"call_start", "queue_enter support", "dequeue support PJSIP/a1", "agent_connect support PJSIP/a1",
		"agent_termination support PJSIP/a1 agent", "call_end", "post_call support",
	}
	transfer = []string{
		"call_start", "queue_enter support", "dequeue support PJSIP/a1", "agent_connect support PJSIP/a1",
		"queue_enter support2", "agent_termination support PJSIP/a1 transfer", "transfer_termination support PJSIP/a1 transfer",
		"dequeue support2 PJSIP/a2", "agent_connect support2 PJSIP/a2", "agent_termination support2 PJSIP/a2 agent",
		"call_end", "post_call support2",
	}
	abandon = []string{"call_start", "queue_enter support", "queue_abandon support", "call_end", "post_call support"}
)

func replace(lines []string, old, new string) []string {
	return strings.Split(strings.ReplaceAll(strings.Join(lines, "\n"), old, new), "\n")
}

// near is how far a time may be from Asterisk's own.
const near = 50 // milliseconds

func checkTimes(t *testing.T, told []ami.Message, w webhook) {
	t.Helper()
	start, end, _ := bridged(told, w.Segment)
	if abs(w.Start-start) > near || abs(w.End-end) > near || math.Abs(w.Seconds*1000-float64(end-start)) > near {
		t.Errorf("%s from %d to %d, %v s; Asterisk told from %d to %d", w.Segment, w.Start, w.End, w.Seconds, start, end)
	}
}

func abs(n int64) int64 { return max(n, -n) }

// checkRecording fetches the recording through its link: it is the whole file
// of that leg.
func checkRecording(t *testing.T, w webhook, suffix string) {
	t.Helper()
	if suffix == "" {
		suffix = ".wav"
	}
	want, err := os.ReadFile(filepath.Join(home(t), "rec", w.UII+"_"+w.Segment+suffix))
	if err != nil {
		t.Error(err)
		return
	}
	got := fetch(t, w.Recording)
	if len(got) < 44 || string(got[:4]) != "RIFF" || int(binary.LittleEndian.Uint32(got[40:44]))+44 != len(got) || w.State != "ready" {
		t.Errorf("recording of %s: %s, %d bytes, no whole WAV", w.Segment, w.State, len(got))
		return
	}
	headerless := strings.HasSuffix(suffix, ".raw")
	if headerless && string(got[44:]) != string(want) || !headerless && string(got) != string(want) {
		t.Errorf("recording of %s is another file than Asterisk wrote", w.Segment)
	}
	// Asterisk drops audio when it is starved, so that only much of a difference counts.
	rate := binary.LittleEndian.Uint32(got[28:32]) // bytes a second
	if seconds := float64(len(got)-44) / float64(rate); w.Seconds > 0 && math.Abs(seconds-w.Seconds) > 1.5 {
		t.Errorf("recording of %s: %.1f s of audio for a segment of %.1f s", w.Segment, seconds, w.Seconds)
	}
}

// checkPerspective fetches the recording of agent and caller on a channel each.
func checkPerspective(t *testing.T, w webhook) {
	t.Helper()
	got := fetch(t, w.Perspective)
	if len(got) < 44 || binary.LittleEndian.Uint16(got[22:24]) != 2 || string(got) != string(fetch(t, w.Recording)) {
		t.Errorf("no agent's perspective of %s", w.Segment)
	}
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s, %v", url, resp.Status, err)
	}
	return body
}

const burst = 50 // calls, at 5 a second

// TestBurst places 50 calls: 50 segments end, each with its recording.
func TestBurst(t *testing.T) {
	relay, receiver := beside(t, "relaymin")
	told := call(t, "burst", []string{"NOWAV=--no-wav"}, "burst", "50")
	relay.Until("all webhooks", func() bool { return len(receiver.Arrivals()) >= 7*burst })
	ended := only(webhooks(t, receiver), "agent_termination")
	if len(ended) != burst {
		t.Errorf("%d segments, want %d", len(ended), burst)
	}
	once(t, receiver)
	for _, w := range ended {
		checkTimes(t, told, w)
		checkRecording(t, w, "")
	}
}

// TestKill kills the relay in mid-burst and starts it again: each segment
// arrives once, or a gap counts it.
func TestKill(t *testing.T) {
	for _, test := range []struct {
		name string
		away time.Duration
	}{
		{"for a moment", 0},
		{"for longer than a conversation", 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			relay, receiver := beside(t, "relaymin")
			wait := place(t, "burst-kill", []string{"NOWAV=--no-wav"}, "burst", "50")
			relay.Until("some segments to end", func() bool { return len(only(webhooks(t, receiver), "agent_termination")) > 10 })
			relay.Kill()
			<-time.After(test.away)
			relay.Start()
			wait()
			relay.Until("the last call to end", func() bool { return relay.Metric(`relay_pending{service="all"}`) == "0" })
			all := webhooks(t, receiver)
			ended, missing, unseen := only(all, "agent_termination"), 0, 0
			for _, gap := range only(all, "relay_gap") {
				missing += gap.Missing
			}
			for _, w := range ended {
				if w.End == 0 || w.Start == 0 {
					unseen++
				}
				checkRecording(t, w, "")
			}
			t.Logf("%d segments, %d of them in part, %d counted as missing", len(ended), unseen, missing)
			if len(ended)+missing != burst {
				t.Errorf("%d segments and %d counted as missing, want %d together", len(ended), missing, burst)
			}
		})
	}
}

// TestHangingEndpoint lets the endpoint hang: nothing at the call server waits
// for it.
func TestHangingEndpoint(t *testing.T) {
	_, receiver := beside(t, "relaymin")
	release := make(chan struct{})
	receiver.Answer(func(_ http.ResponseWriter, q *http.Request) {
		select {
		case <-release:
		case <-q.Context().Done():
		}
	})
	defer close(release)
	told := call(t, "hang", nil, "single")
	for _, m := range told {
		if m.Event() != "AgentConnect" {
			continue
		}
		leg := m.Get("DestUniqueid")
		_, end, hangup := bridged(told, leg)
		if hangup-end > near {
			t.Errorf("the agent hung up %d ms after the conversation", hangup-end)
		}
		info, err := os.Stat(filepath.Join(home(t), "rec", m.Get("Linkedid")+"_"+leg+".wav"))
		if err != nil {
			t.Fatal(err)
		}
		if late := info.ModTime().UnixMilli() - hangup; late > 500 {
			t.Errorf("the recording was closed %d ms after the hangup", late)
		}
		return
	}
	t.Error("no agent answered")
}
