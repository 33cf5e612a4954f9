package recordings

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func countLines(text, part string) int {
	n := 0
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// memory is a [Store] that outlives a Recordings.
type memory struct {
	mu   sync.Mutex
	data []byte
}

func (m *memory) Save(_ string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = bytes.Clone(data)
	return nil
}

func (m *memory) Load(string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		return nil, fs.ErrNotExist
	}
	return m.data, nil
}

const lateEvent = `{"event":"agent_termination","queue":"support","uii":"202004220000000000000000000001","agent_id":1401,` +
	`"duration":185.500,"recording":"2020/a.wav","segment_id":"1","id":"e-1"}`

// raiser takes events, of which the first ones are refused.
func raiser(refused int) (func(context.Context, []byte) error, <-chan []byte) {
	raised := make(chan []byte, 10)
	return func(_ context.Context, event []byte) error {
		if refused--; refused >= 0 {
			return errors.New("queue is full")
		}
		raised <- event
		return nil
	}, raised
}

func receive(t *testing.T, raised <-chan []byte) map[string]any {
	t.Helper()
	select {
	case event := <-raised:
		d := json.NewDecoder(bytes.NewReader(event))
		d.UseNumber()
		var members map[string]any
		if err := d.Decode(&members); err != nil {
			t.Fatal(err)
		}
		return members
	case <-time.After(soon):
		t.Fatal("nothing was raised")
		return nil
	}
}

func TestLateIsRaised(t *testing.T) {
	t.Parallel()
	raise, raised := raiser(0)
	r, text := openTest(t, testConfig(t), Options{Raise: raise})
	until := time.Now().Add(time.Hour)
	r.Late("2020/a.wav", -1, -1, []byte(lateEvent), until)
	r.Late("2020/a.wav", -1, -1, []byte(lateEvent), until) // of another service
	r.Late("2020/a.wav", -1, -1, []byte(`{"event":"recording_available","id":"e-2"}`), until)
	r.Late("2020/a.wav", -1, -1, []byte(`{"event":"agent_termination"}`), until)
	r.Late("2020/a.wav", -1, -1, []byte(`no event`), until)
	r.Late("../a.wav", -1, -1, []byte(lateEvent), until)
	putOld(t, r, "2020/a.wav", testFile(t, "mono.wav"))
	got := receive(t, raised)
	for name, want := range map[string]any{
		"event": AvailableEvent, "id": "e-1/" + AvailableEvent, "queue": "support", "segment_id": "1", "recording": "2020/a.wav",
		"agent_id": json.Number("1401"), "duration": json.Number("185.500"),
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	waitFor(t, "all raised", func() bool { return countLines(text.String(), "late recording announced") == 1 })
	if len(raised) > 0 {
		t.Errorf("raised again: %s", <-raised)
	}
}

// TestWhatIsNotCompleteInTimeFails has the queue refuse the event once.
func TestWhatIsNotCompleteInTimeFails(t *testing.T) {
	t.Parallel()
	raise, raised := raiser(1)
	r, text := openTest(t, testConfig(t), Options{Raise: raise})
	r.Late("2020/a.wav", -1, -1, []byte(lateEvent), time.Now())
	got := receive(t, raised)
	for name, want := range map[string]any{
		"event": FailedEvent, "id": "e-1/" + FailedEvent, "queue": "support", "segment_id": "1", "recording": "2020/a.wav", "agent_id": json.Number("1401"),
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	waitFor(t, "it to be said", func() bool { return countLines(text.String(), "recording not complete in time") == 1 })
	waitFor(t, "it to be counted", func() bool { return testutil.ToFloat64(r.metrics.outcomes.WithLabelValues(OutcomeFailed)) == 1 })
	putOld(t, r, "2020/a.wav", testFile(t, "mono.wav"))
	if len(raised) > 0 {
		t.Errorf("raised again: %s", <-raised)
	}
}

func TestLateIDIsShortAndStays(t *testing.T) {
	event := strings.Replace(lateEvent, "e-1", strings.Repeat("x", 120), 1)
	first, _, err := availableEvent([]byte(event))
	again, _, _ := availableEvent([]byte(event))
	other, _, _ := availableEvent([]byte(strings.Replace(event, "xx", "xy", 1)))
	if err != nil || len(first) > maxID || first != again || first == other {
		t.Errorf("ids %q, %q, %q of two events, %v", first, again, other, err)
	}
}

func TestLateIsTriedAgain(t *testing.T) {
	t.Parallel()
	raise, raised := raiser(1)
	r, text := openTest(t, testConfig(t), Options{Raise: raise})
	putOld(t, r, "2020/a.wav", testFile(t, "mono.wav"))
	r.Late("2020/a.wav", -1, -1, []byte(lateEvent), time.Now().Add(time.Hour))
	receive(t, raised)
	if countLines(text.String(), "queue is full") != 1 {
		t.Errorf("log does not say why it took so long:\n%s", text)
	}
}

// TestLateOutlivesARestart has a recording complete while the relay is away.
func TestLateOutlivesARestart(t *testing.T) {
	t.Parallel()
	c, store := testConfig(t), &memory{}
	raise, raised := raiser(0)
	first, err := Open(c, Options{Raise: raise, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	first.Late("2020/a.wav", -1, -1, []byte(lateEvent), time.Now().Add(time.Hour))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	putOld(t, first, "2020/a.wav", testFile(t, "mono.wav"))
	c.Listen = ""
	second, _ := openTest(t, c, Options{Raise: raise, Store: store})
	if err := second.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, raised); got["id"] != "e-1/"+AvailableEvent {
		t.Errorf("raised %v", got)
	}
	waitFor(t, "it to be forgotten", func() bool {
		data, _ := store.Load("")
		return string(data) == "[]"
	})
}

func TestLateEnds(t *testing.T) {
	t.Parallel()
	raise, raised := raiser(0)
	r, _ := openTest(t, testConfig(t), Options{Raise: raise})
	r.Late("2020/a.wav", -1, -1, []byte(lateEvent), time.Now().Add(20*time.Millisecond))
	waitFor(t, "the end", func() bool {
		r.pending.mu.Lock()
		defer r.pending.mu.Unlock()
		return len(r.pending.entries) == 0
	})
	if got := receive(t, raised); got["event"] != FailedEvent {
		t.Errorf("at its end it raised %v", got)
	}
	putOld(t, r, "2020/a.wav", testFile(t, "mono.wav"))
	<-readyTime(r, "2020/a.wav")
	if len(raised) > 0 {
		t.Errorf("raised after its end: %s", <-raised)
	}
}
