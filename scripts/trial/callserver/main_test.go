package callserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source/asterisk/ami"
	"callrelay/scripts/trial"
)

var (
	tools     = os.Getenv("CALLSERVER") // the folder of call.sh; empty: no call server
	relayPath string                    // the relay under test
)

func TestMain(m *testing.M) {
	if tools == "" {
		os.Exit(m.Run())
	}
	os.Exit(trial.RunTests(m, &relayPath))
}

// home is where the call server keeps what it makes.
func home(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("CALLSERVER_DIR"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "callserver")
}

// beside starts a relay beside the call server, with a receiver for all of its
// events, in the order of each call.
func beside(t *testing.T, user string) (*trial.Relay, *trial.Receiver) {
	t.Helper()
	if tools == "" || os.Getenv("PBX") != "" {
		t.Skip("not the call server of this test: see scripts/trial/callserver/run.sh")
	}
	return start(t, user)
}

// besidePBX starts one beside a call server that is set up like FreePBX.
func besidePBX(t *testing.T) (*trial.Relay, *trial.Receiver) {
	t.Helper()
	if tools == "" || os.Getenv("PBX") == "" {
		t.Skip("not the call server of this test: see scripts/trial/callserver/run.sh")
	}
	return start(t, "relay")
}

func start(t *testing.T, user string) (*trial.Relay, *trial.Receiver) {
	t.Helper()
	r := trial.NewReceiver(t)
	return trial.Start(t, relayPath, settings(t, user, r.URL)), r
}

func settings(t *testing.T, user, url string) string {
	t.Helper()
	listen := trial.FreeAddress(t)
	return fmt.Sprintf(`
[recordings]
dir    = %[1]q
url    = "http://%[2]s/recordings"
listen = %[2]q
keys   = [{ id = "k1", secret = "a secret of the trial, 32 bytes or more" }]
raw    = { rate = 8000, channels = 2 }
agent_perspective = true

[[source]]
name     = "pbx1"
type     = "asterisk"
address  = "127.0.0.1:5038"
user     = %[3]q
password = %[3]q
recordings_from = "/cs/rec"

[[service]]
name  = "all"
url   = %[4]q
order = "call"
json  = '''{"id":"#event_id#","event":"#event#","queue":"#queue#","uii":"#uii#","segment":"#segment_id#","agent":"#agent_id#",
"name":"#agent_username#","ani":"#ani#","dnis":"#dnis#","reason":"#term_reason#","start":"#segment_start|time:unixms|number#","end":"#segment_end|time:unixms|number#",
"seconds":"#agent_duration|number#","recording":"#recording_url#","perspective":"#sess_agent_perspective_recording_url#","state":"#recording_state#",
"missing":"#segments_missing|number#","unheard":"#channels_unheard|number#","device":"#agent_device#","direction":"#direction#","callresult":"#call_result#","queueresult":"#queue_result#","ringresult":"#ring_result#","rang":"#rang#","file":"#recording#","order":"#order#"}'''

[[binding]]
event   = ["call_start", "queue_enter", "queue_abandon", "dequeue", "agent_connect", "agent_termination", "transfer_termination", "call_end", "post_call", "relay_gap", "agent_ring", "agent_ring_end", "call_missed", "sale"]
service = "all"
`, filepath.Join(home(t), "rec"), listen, user, url)
}

// webhook is what the service receives.
type webhook struct {
	ID, Event, Queue, UII, Segment, Agent, Name, ANI, DNIS, Reason            string
	Start, End                                                                int64 // milliseconds
	Seconds                                                                   float64
	Recording, Perspective, State                                             string
	Device, Direction, CallResult, QueueResult, RingResult, Rang, File, Order string
	Missing, Unheard                                                          int
}

// webhooks are those that arrived. One that is repeated counts once.
func webhooks(t *testing.T, r *trial.Receiver) (all []webhook) {
	t.Helper()
	seen := map[string]bool{}
	for _, a := range r.Arrivals() {
		var w webhook
		if err := json.Unmarshal([]byte(a.Body), &w); err != nil {
			t.Fatalf("%v in %s", err, a.Body)
		}
		if !seen[w.ID] {
			seen[w.ID] = true
			all = append(all, w)
		}
	}
	return all
}

// once fails the test when anything arrived twice: only a crash may repeat.
func once(t *testing.T, r *trial.Receiver) {
	t.Helper()
	if total, distinct := r.Total(); total != distinct {
		t.Errorf("%d webhooks under %d ids", total, distinct)
	}
}

// call places calls and returns what Asterisk told of them.
func call(t *testing.T, name string, env []string, args ...string) []ami.Message {
	t.Helper()
	wait := place(t, name, env, args...)
	wait()
	return captured(t, name)
}

// place places calls and returns a function that waits for their end.
func place(t *testing.T, name string, env []string, args ...string) (wait func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	cmd := exec.CommandContext(ctx, filepath.Join(tools, "call.sh"), args...)
	cmd.Env = append(append(os.Environ(), "OUT="+name), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		defer cancel()
		if err := cmd.Wait(); err != nil {
			t.Fatalf("call.sh %s: %v", strings.Join(args, " "), err)
		}
	}
}

func captured(t *testing.T, name string) (all []ami.Message) {
	t.Helper()
	f, err := os.Open(filepath.Join(home(t), "captures", name+".ami.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := ami.NewReader(f); ; {
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

// bridged is when a leg first entered a bridge and last left one, and when it
// hung up, as Asterisk told, in milliseconds.
func bridged(told []ami.Message, leg string) (start, end, hangup int64) {
	for _, m := range told {
		if m.Get("Uniqueid") != leg {
			continue
		}
		at := m.Stamp().UnixMilli()
		switch m.Event() {
		case "BridgeEnter":
			if start == 0 {
				start = at
			}
		case "BridgeLeave":
			end = at
		case "Hangup":
			hangup = at
		}
	}
	return start, end, hangup
}

func only(all []webhook, event string) []webhook {
	return slices.DeleteFunc(slices.Clone(all), func(w webhook) bool { return w.Event != event })
}
