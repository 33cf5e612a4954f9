package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	callevent "callrelay/relay/call"
)

// still is a machine and a session that say nothing by themselves.
type still struct{ Reporter }

func (*still) State() any                    { return nil }
func (*still) Restored()                     {}
func (*still) Calls() int                    { return 0 }
func (*still) Settled() bool                 { return true }
func (*still) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// gate takes events when it is told to, and answers each as answer says.
type gate struct {
	open   chan struct{} // one token, one call
	answer func(event string) error
	mu     sync.Mutex
	calls  []string // the events of each call, joined
}

func (g *gate) emit(ctx context.Context, events [][]byte) []error {
	select {
	case <-g.open:
	case <-ctx.Done():
		return slices.Repeat([]error{ctx.Err()}, len(events))
	}
	errs := make([]error, len(events))
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = string(e)
		errs[i] = g.answer(string(e))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, strings.Join(names, " "))
	return errs
}

// What waits is handed over together and in order; what is refused for good is
// counted, and what the relay cannot take now comes again, alone.
func TestEmitTogether(t *testing.T) {
	var mu sync.Mutex
	full := true
	g := &gate{open: make(chan struct{}, 10), answer: func(event string) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case event == "3":
			return &callevent.Error{Problem: "no event"}
		case event == "5" && full:
			full = false
			return errors.New("queue full")
		}
		return nil
	}}
	m := &still{}
	s := New(Options{Emit: g.emit}, m, func(string, time.Time) Session { return m })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	put := func(n int) {
		s.Lock()
		defer s.Unlock()
		s.Put([]Event{{Name: "call_end", Body: fmt.Append(nil, n)}})
	}
	put(0)
	until(t, s, func(st Status) bool { return st.Spooled == 1 })
	for n := range 6 {
		put(n + 1)
	}
	g.open <- struct{}{}
	g.open <- struct{}{}
	g.open <- struct{}{}
	st := until(t, s, func(st Status) bool { return st.Spooled == 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := strings.Join(g.calls, " "); got != "0 1 2 3 4 5 6 5" || len(g.calls) > 3 || st.Turned != 6 || st.Unturned != 1 || st.Refusal != "" {
		t.Errorf("handed over %q, status %+v", g.calls, st)
	}
}

func until(t *testing.T, s *Collector, is func(Status) bool) Status {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(time.Millisecond); ; {
		if st := s.Status(); is(st) {
			tick.Stop()
			return st
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %+v", s.Status())
		}
	}
}

// kept is a machine, and the store that it is restored from.
type kept struct {
	still
	state []byte
}

func (k *kept) State() any                  { return &struct{ Last *time.Time }{&k.Last} }
func (k *kept) Load(string) ([]byte, error) { return k.state, nil }
func (k *kept) Save(string, []byte) error   { return nil }

// A state that cannot be read, or is of an older relay, is a gap like any other
// restart: since when, where it says so, and with the events that wait.
func TestRestore(t *testing.T) {
	for _, test := range []struct{ state, want string }{
		{"", "started in mid-call since 0, 0 wait"},
		{`{"format":3,"machine":{"Last":"1970-01-01T00:00:07Z"},"pending":[{},{}]}`, "relay restarted since 7000000, 2 wait"},
		{`{"format":2,"last":"1970-01-01T00:00:07Z","calls":{},"pending":[{},{}]}`, "relay restarted since 7000000, 2 wait"},
		{`{"format":4,"machine":7,"pending":[{}]}`, "relay restarted since 0, 1 wait"},
		{`{"format":3,"mach`, "relay restarted since 0, 0 wait"},
	} {
		k := &kept{state: []byte(test.state)}
		s := New(Options{Store: k}, k, nil)
		reason := s.restore()
		if got := fmt.Sprintf("%s since %s, %d wait", reason, Micros(k.LastStamp()), s.Status().Spooled); got != test.want {
			t.Errorf("%s: %s, want %s", test.state, got, test.want)
		}
	}
}

// The log says what a gap hid, in words and not in code.
func TestGapIsLogged(t *testing.T) {
	var log strings.Builder
	m := &still{}
	s := New(Options{Log: slog.New(slog.NewJSONHandler(&log, nil))}, m, nil)
	m.Gap(Gap{Reason: GapDisconnect, Unheard: 3}, time.Unix(1, 0), time.Unix(2, 0))
	s.Put(m.Raised())
	if !strings.Contains(log.String(), `"channels_unheard":3`) || s.Status().Gaps != 1 {
		t.Errorf("log %s", log.String())
	}
}
