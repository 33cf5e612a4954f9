package deliver

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/exchange"
)

// memory is a file that a test has made up.
type memory struct {
	*bytes.Reader
	of *fakeRecordings
}

// open opens any of the recordings.
func (f *fakeRecordings) open() (exchange.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.opens) > 0 {
		err := f.opens[0]
		f.opens = f.opens[1:]
		if err != nil {
			return nil, err
		}
	}
	return memory{bytes.NewReader([]byte(f.content)), f}, nil
}

// Check implements exchange.File.
func (memory) Check() error { return nil }

// Close implements io.Closer.
func (m memory) Close() error {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.of.closed++
	return nil
}

// uploadBubble is a bubble whose service carries recordings. Bodies returns what
// arrived.
func uploadBubble(t *testing.T, body string, test func(b *bench, f *fakeRecordings, bodies func() []string)) {
	t.Helper()
	bubble(t, body+"\nretry_schedule = [\"5s\"]\n[service.breaker]\nfailures = 1", func(b *bench) {
		f := newFakeRecordings()
		f.content = "RIFF…"
		b.env.recordings, b.env.late = f, time.Hour
		b.apply(b.setupOf(b.table.Service("crm"), time.Now()), b.endpoint, false)
		var mu sync.Mutex
		var seen []string
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			var body strings.Builder
			if err := a.CopyBody(&body); err != nil || len(a.Files) > 0 && a.Idle != 15*time.Second {
				t.Errorf("idle %s, %v", a.Idle, err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, a.Header.Get("Content-Type")+"|"+body.String())
			return exchange.Reply{Status: 200}, nil
		})
		test(b, f, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(seen)
		})
	})
}

const whole = `file = "#recording_file#"`

func TestADeliveryCarriesItsRecording(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"file":   {whole, "audio/wav|RIFF…"},
		"base64": {`json = '{"a":"#recording_base64#","name":"#recording_name#","type":"#recording_type#"}'`, `application/json|{"a":"UklGRuKApg==","name":"r-0.wav","type":"audio/wav"}`},
	} {
		t.Run(name, func(t *testing.T) {
			uploadBubble(t, test.body, func(b *bench, f *fakeRecordings, bodies func() []string) {
				f.complete("r-0.wav")
				b.lane.owe(withRecording(1)...)
				b.after(time.Second)
				if got := bodies(); len(got) != 1 || got[0] != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if n := b.lane.tally(); n.done != 1 || f.closed != 1 || !slices.Equal(f.counted, []bool{true}) {
					t.Errorf("%+v, %d closed, counted %v", n, f.closed, f.counted)
				}
			})
		})
	}
}

// A recording that never comes is not sent as if it were there: form data goes
// without its part, and a body that is the file is none.
func TestAnUploadWithoutItsFile(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want []string // of the bodies, a part of each
		dead string
	}{
		"form data":              {`multipart = { id = "#event_id#", state = "#recording_state#", audio = "#recording_file#" }`, []string{"missing"}, ""},
		"file":                   {whole, nil, "render file: #recording_file#: there is no recording to send"},
		"a part that must be":    {`multipart = { audio = "#recording_file#" }` + "\nmissing = \"reject\"", nil, "render multipart.audio: #recording_file#: the event lacks it"},
		"base64":                 {`json = '{"a":"#recording_base64#"}'`, []string{`{"a":""}`}, ""},
		"both, and one is there": {`multipart = { one = "#recording_file#", two = "#sess_agent_perspective_recording_file#" }`, []string{`name="two"; filename="dual.wav"`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			uploadBubble(t, test.body, func(b *bench, f *fakeRecordings, bodies func() []string) {
				f.complete("dual.wav")
				b.lane.owe(record("crm", "x", `,"recording":"a.wav","agent_perspective_recording":"dual.wav"`))
				b.after(119 * time.Second)
				if len(bodies()) > 0 || len(b.lane.letters()) > 0 {
					t.Fatal("it did not wait")
				}
				b.after(2 * time.Second)
				got := bodies()
				if len(got) != len(test.want) || len(got) > 0 && !strings.Contains(got[0], test.want[0]) || strings.Contains(strings.Join(got, ""), `name="one"`) {
					t.Errorf("sent %q, want %q", got, test.want)
				}
				if death := b.lane.letters()["x"]; death.Error != test.dead || test.dead != "" && death.Reason != ReasonRender {
					t.Errorf("dead %+v, want %q", death, test.dead)
				}
				if late := f.lates(); !slices.Equal(late, []string{"a.wav"}) || !slices.Equal(f.counted, []bool{false}) {
					t.Errorf("late %v, counted %v", late, f.counted)
				}
			})
		})
	}
}

// A fault of the file is no fault of the endpoint: it is tried again, and the
// breaker, which one failure would open, stays closed.
func TestAFaultOfTheFileIsNobodyElses(t *testing.T) {
	uploadBubble(t, whole, func(b *bench, f *fakeRecordings, _ func() []string) {
		f.complete("r-0.wav")
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			if a.Number < 3 {
				return exchange.Reply{}, &exchange.FileError{Err: errors.New("the file has changed")}
			}
			return exchange.Reply{Status: 200}, nil
		})
		b.lane.owe(withRecording(1)...)
		b.after(20 * time.Second)
		if n := b.lane.tally(); n.done != 1 || len(b.attempts()) != 3 || f.closed != 3 || !b.endpoint.shut.Load() {
			t.Errorf("%+v, %v, %d closed, breaker closed: %v", n, b.attempts(), f.closed, b.endpoint.shut.Load())
		}
	})
}

// One that cannot be opened as it was looked at is looked at again, without an
// attempt.
func TestARecordingThatCannotBeOpenedComesAgain(t *testing.T) {
	uploadBubble(t, whole, func(b *bench, f *fakeRecordings, bodies func() []string) {
		f.complete("r-0.wav")
		f.opens = []error{errors.New("too many open files"), nil}
		b.lane.owe(withRecording(1)...)
		b.after(time.Second)
		if len(bodies()) != 0 {
			t.Fatal("it was sent")
		}
		b.after(recordingRest)
		if attempts := b.attempts(); len(attempts) != 1 || attempts[0].number != 1 || b.lane.tally().done != 1 {
			t.Errorf("attempts %v, %+v", attempts, b.lane.tally())
		}
	})
}

// One that vanishes between two attempts is waited for, and announced.
func TestARecordingThatVanishesBeforeItIsCarried(t *testing.T) {
	uploadBubble(t, whole, func(b *bench, f *fakeRecordings, _ func() []string) {
		f.complete("r-0.wav")
		b.respond(func(*exchange.Attempt) (exchange.Reply, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.ready["r-0.wav"] = false
			return exchange.Reply{}, &exchange.FileError{Err: errors.New("gone")}
		})
		b.lane.owe(withRecording(1)...)
		b.after(3 * time.Minute)
		if late := f.lates(); !slices.Equal(late, []string{"r-0.wav"}) || len(b.attempts()) != 1 || b.lane.tally().dead != 1 {
			t.Errorf("late %v, attempts %v, %+v", late, b.attempts(), b.lane.tally())
		}
	})
}

func TestALongRecordingDoesNotGoOutInBase64(t *testing.T) {
	uploadBubble(t, `json = '"#recording_base64#"'`, func(b *bench, f *fakeRecordings, bodies func() []string) {
		f.content = strings.Repeat("x", maxEncoded+1)
		f.complete("r-0.wav")
		b.lane.owe(withRecording(1)...)
		b.after(time.Second)
		const want = "render json: #recording_base64#: the recording has 16777217 bytes, and at most 16777216 go out in base64"
		if death := b.lane.letters()["r-0"]; death.Reason != ReasonRender || death.Error != want || f.closed != 1 {
			t.Errorf("dead %+v, %d closed, %q", death, f.closed, bodies())
		}
	})
}

// What is shown of an upload has the facts of the file in the place of its bytes.
func TestAnUploadIsShownWithoutItsBytes(t *testing.T) {
	table := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/", `multipart = { id = "#event_id#", audio = "#recording_file#" }`+"\nsigning = [\"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\"]"))
	f := newFakeRecordings()
	for _, want := range []string{"\r\n\r\n(a.wav: audio/wav, pending)\r\n", "\r\n\r\n(a.wav: audio/wav, 1044 bytes, 12.5 s)\r\n"} {
		e, err := call.Parse(record("crm", "x", `,"recording":"a.wav"`).Body, "x")
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewPreview(table.Service("crm"), e, f, "1")
		if want = strings.Replace(want, "pending", "missing", 1); err != nil || !strings.Contains(p.Request.Body, want) {
			t.Errorf("shown as %q, %v, want %q", p.Request.Body, err, want)
		}
		f.complete("a.wav")
	}
	sample := eventOf(t, `{"event":"relay_test"}`)
	if p, err := NewPreview(table.Service("crm"), sample, f, "1"); err != nil || !strings.Contains(p.Request.Body, ".wav: audio/wav, none)") {
		t.Errorf("of an event that was made up: %q, %v", p.Request.Body, err)
	}
	s := newSetup(table.Service("crm"), environment{recordings: f}, nil)
	e, _ := call.Parse(record("crm", "x", `,"recording":"a.wav"`).Body, "x")
	a, hide, err := s.prepare(e, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	x := s.transcript(a, hide, exchange.Reply{}, verdict{}, time.Now(), 0)
	if !strings.Contains(x.Request.Body, "(a.wav: audio/wav, 1044 bytes, 12.5 s)") {
		t.Errorf("transcript %q", x.Request.Body)
	}
}
