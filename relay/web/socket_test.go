package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrelay/queue"
)

// fakeServices, fakeLetters and fakeAttempts stand for the rest of the relay.
type fakeServices struct{ called []string }

func (f *fakeServices) change(_ context.Context, service, change, why string) (int, error) {
	switch {
	case service == "nobody":
		return 0, fmt.Errorf("%w: %q", ErrNoService, service)
	case change == Drop:
		return 0, fmt.Errorf("%w: %q is configured", ErrRefused, service)
	case change == Pause:
		change += " (" + why + ")"
	}
	f.called = append(f.called, change+" "+service)
	return 0, nil
}

type fakeLetters struct {
	letters []Letter
	last    Filter // of what was moved
	err     error
}

func (f *fakeLetters) Letters(_ context.Context, _ Filter, visit func(Letter) bool) error {
	for _, l := range f.letters {
		if !visit(l) {
			return nil
		}
	}
	return f.err
}

func (f *fakeLetters) Story(_ context.Context, l *Letter) error {
	l.Tries = []Attempt{{Service: l.Service, ID: l.ID, Number: 1, Outcome: "dead", Status: 422}}
	t := Transcript{Service: l.Service, ID: l.ID, Outcome: "dead", At: l.Buried}
	t.Request.Method, t.Request.URL, t.Request.Body = "POST", "https://crm.example.com/calls", "what was sent"
	l.Exchanges = []Transcript{t}
	return f.err
}

func (f *fakeLetters) Replay(_ context.Context, filter Filter, each func(Letter)) (int, error) {
	f.last = filter
	for _, l := range f.letters {
		each(l)
	}
	return len(f.letters), f.err
}

func (f *fakeLetters) Drop(_ context.Context, filter Filter) (int, error) {
	f.last = filter
	return len(f.letters), f.err
}

type fakeAttempts struct{ attempts []Attempt }

func (f *fakeAttempts) Attempts(context.Context, string, int) ([]Attempt, error) {
	return f.attempts, nil
}

func (f *fakeAttempts) Transcripts(_ context.Context, _ string, limit int) ([]Transcript, error) {
	return make([]Transcript, min(limit, 3)), nil
}

func (f *fakeAttempts) Follow(_ context.Context, _ string, visit func(Attempt)) error {
	for _, a := range f.attempts {
		visit(a)
	}
	return nil
}

// fakeRelay is a relay with two services and three dead letters.
func fakeRelay() (Relay, *fakeServices, *fakeLetters) {
	services, letters := &fakeServices{}, &fakeLetters{}
	for seq := range uint64(3) {
		letters.letters = append(letters.letters, Letter{Body: json.RawMessage(`{"event":"agent_termination"}`), Letter: queue.Letter{
			Seq: seq + 1, Record: queue.Record{Service: "crm", Event: "agent_termination", ID: fmt.Sprintf("call/%d", seq+1)},
			Reason: "rejected", Status: 422, Error: "no <such> field", Attempts: 1,
			Buried: time.Date(2020, 4, 22, 0, int(seq), 0, 0, time.UTC),
		}})
	}
	attempts := &fakeAttempts{attempts: []Attempt{
		{Service: "crm", Outcome: "retry", Number: 1, Status: 503, Class: "5xx", Error: "try later"},
		{Service: "crm", Outcome: "delivered", Number: 2, Status: 200, Class: "2xx"},
	}}
	return Relay{
		Status: func() Status {
			return Status{
				Version: "1.0", Healthy: true, Ready: true,
				Config: Config{Fingerprint: "00ff00ff00ff00ff", Success: true, Since: time.Unix(1600000000, 0)},
				Queue:  Queue{Bytes: 1000, MaxBytes: 4000},
				Services: []Service{
					{Name: "billing", State: "active", Breaker: "closed", Delivered: 12},
					{Name: "crm", State: "active", Breaker: "open", HeldBy: "breaker open", Waiting: 7, Dead: map[string]int{"rejected": 3}, LastError: "connection refused"},
				},
			}
		},
		Reload: func(context.Context) Reload { return Reload{Problems: []string{"relay.toml:3: no"}} },
		Feeds: func(string) ([]string, string) {
			return []string{"agent_termination at queue support"}, "https://crm.example.com/calls"
		},
		Settings: func() string { return "token = \"***\"" },
		Letters:  letters, Attempts: attempts,
		Change: services.change,
		Resend: func(_ context.Context, f Filter, dry bool, each func(int)) (Resent, error) {
			if f.Service != "crm" {
				return Resent{Delivered: 2}, errors.New("the disk is full")
			}
			if each(1000); dry {
				return Resent{Delivered: 1234}, nil
			}
			return Resent{Delivered: 1234, Letters: 2, Before: 5}, nil
		},
		Test: func(_ context.Context, service string, event []byte) (Transcript, error) {
			return Transcript{Service: service, ID: string(event), Outcome: "delivered"}, nil
		},
	}, services, letters
}

// startSocket serves relay on a socket with a path that is short enough.
func startSocket(t *testing.T, relay Relay) *Client {
	t.Helper()
	path := filepath.Join(shortDir(t), "admin.sock")
	s, err := NewSocket(path, relay, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return NewClient(path, nil)
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "web")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSocketShowsStatus(t *testing.T) {
	relay, _, _ := fakeRelay()
	got, err := startSocket(t, relay).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Services) != 2 || got.Services[1].Owed() != 7 || got.Services[1].DeadLetters() != 3 {
		t.Errorf("services = %+v", got.Services)
	}
}

func TestSocketChangesServices(t *testing.T) {
	relay, services, _ := fakeRelay()
	c := startSocket(t, relay)
	for _, change := range []string{Pause, Resume, Probe} {
		if _, err := c.Change(t.Context(), "crm", change, "they move house"); err != nil {
			t.Fatal(err)
		}
	}
	want := "pause (they move house) crm, resume crm, probe crm"
	if got := strings.Join(services.called, ", "); got != want {
		t.Errorf("called %q, want %q", got, want)
	}
}

func TestALetterComesWithItsStory(t *testing.T) {
	relay, _, letters := fakeRelay()
	c := startSocket(t, relay)
	found, err := c.Letter(t.Context(), Filter{})
	if err != nil || len(found) != 3 || len(found[2].Tries) != 1 || found[2].Exchanges[0].Request.Body != "what was sent" || len(found[2].Body) == 0 {
		t.Errorf("got %+v, %v", found, err)
	}
	letters.err = errors.New("disk on fire")
	if _, err := c.Letter(t.Context(), Filter{}); err == nil || err.Error() != "disk on fire" {
		t.Errorf("got %v", err)
	}
}

func TestSocketSendsAgain(t *testing.T) {
	relay, _, _ := fakeRelay()
	c := startSocket(t, relay)
	told := 0
	got, err := c.Resend(t.Context(), Filter{Service: "crm", Call: "c1"}, false, func(n int) { told += n })
	if want := "1,236 (1,234 delivered before, 2 dead letters); 5 more were put back by the run that was broken off"; err != nil || got.String() != want || told != 2236 {
		t.Errorf("got %v after %d, %v", got, told, err)
	}
	if got, err := c.Resend(t.Context(), Filter{Service: "crm"}, true, func(int) {}); err != nil || got.Letters != 0 {
		t.Errorf("dry: %+v, %v", got, err)
	}
	if got, err := c.Resend(t.Context(), Filter{Service: "billing"}, false, func(int) {}); got.Delivered != 2 || err == nil || err.Error() != "the disk is full" {
		t.Errorf("broken off: %+v, %v", got, err)
	}
}

func TestSocketTellsWhatWentWrong(t *testing.T) {
	relay, _, letters := fakeRelay()
	letters.err = errors.New("disk on fire")
	c := startSocket(t, relay)
	for _, test := range []struct {
		name string
		do   func() error
		want string
	}{
		{"unknown service", func() error { _, err := c.Change(t.Context(), "nobody", Resume, ""); return err }, `no such service: "nobody"`},
		{"a service in use is not dropped", func() error {
			_, err := c.Change(t.Context(), "crm", Drop, "")
			return err
		}, `refused: "crm" is configured`},
		{"a replay that breaks off", func() error {
			_, err := c.Move(t.Context(), Replay, Filter{}, func(int) {})
			return err
		}, "disk on fire"},
		{"a list that breaks off", func() error {
			return c.Letters(t.Context(), Filter{}, false, func(Letter) bool { return true })
		}, "disk on fire"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.do(); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestSocketMovesLetters(t *testing.T) {
	relay, _, letters := fakeRelay()
	c := startSocket(t, relay)
	want := Filter{
		Service: "crm", Reason: "rejected", Call: "42", ID: "call/2", Seqs: []uint64{2, 3},
		Since: time.Date(2020, 4, 22, 0, 0, 0, 5000, time.UTC), Until: time.Date(2020, 4, 23, 0, 0, 0, 0, time.UTC),
	}
	letters.letters[1].Service = "removed"
	got, err := c.Move(t.Context(), Replay, want, func(int) {})
	if err != nil || got.Count != 3 || fmt.Sprint(got.Orphaned) != "[removed]" {
		t.Fatalf("Replay = %+v, %v; want 3, of them orphaned what is of removed", got, err)
	}
	if fmt.Sprint(letters.last) != fmt.Sprint(want) {
		t.Errorf("filter arrived as %+v, want %+v", letters.last, want)
	}
	if got, err = c.Move(t.Context(), DropLetters, Filter{}, func(int) {}); err != nil || got.Count != 3 || got.Warning() != "" {
		t.Errorf("DropLetters = %+v, %v", got, err)
	}
}

func TestSocketListsLetters(t *testing.T) {
	relay, _, _ := fakeRelay()
	c := startSocket(t, relay)
	for _, bodies := range []bool{false, true} {
		var got []Letter
		err := c.Letters(t.Context(), Filter{}, bodies, func(l Letter) bool {
			got = append(got, l)
			return len(got) < 2
		})
		if err != nil || len(got) != 2 {
			t.Fatalf("got %d letters, %v; want 2", len(got), err)
		}
		if (got[0].Body != nil) != bodies {
			t.Errorf("bodies %v: body = %s", bodies, got[0].Body)
		}
	}
}

func TestSocketStreamsAttempts(t *testing.T) {
	relay, _, _ := fakeRelay()
	c := startSocket(t, relay)
	var got []string
	if err := c.Tail(t.Context(), "", func(a Attempt) { got = append(got, a.Outcome) }); err != nil {
		t.Fatal(err)
	}
	if want := "retry delivered"; strings.Join(got, " ") != want {
		t.Errorf("tail = %v, want %s", got, want)
	}
	transcripts, err := c.Transcripts(t.Context(), "crm", 1)
	if err != nil || len(transcripts) != 1 {
		t.Errorf("Transcripts = %v, %v", transcripts, err)
	}
}

func TestSocketTestsAService(t *testing.T) {
	relay, _, _ := fakeRelay()
	got, err := startSocket(t, relay).Test(t.Context(), "crm", []byte(`{}`))
	if err != nil || got.Service != "crm" || got.ID != "{}" {
		t.Errorf("Test = %+v, %v", got, err)
	}
}

func TestClientSaysThatNoRelayRuns(t *testing.T) {
	_, err := NewClient(filepath.Join(shortDir(t), "admin.sock"), nil).Status(t.Context())
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
}
