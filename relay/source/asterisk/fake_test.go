package asterisk

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// fake is an Asterisk's manager interface: it takes any login, answers what a
// source asks, and sends what the test has it send.
type fake struct {
	net.Listener

	mu       sync.Mutex
	conns    []net.Conn
	now      time.Time     // of its clock
	channels []ami.Message // that are alive
	denies   bool          // to list them: the login lacks the right
}

func newFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{Listener: l, now: time.Unix(1795442300, 0)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); f.hangUp(); serving.Wait() })
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n")
	action := map[string]string{}
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ": "); ok {
			action[name] = value
			continue
		}
		f.answer(c, action["Action"], "ActionID: "+action["ActionID"])
		clear(action)
	}
}

func (f *fake) answer(c net.Conn, action, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if action == "CoreShowChannels" && f.denies {
		action = "denied"
	}
	switch action {
	case "Login":
		fmt.Fprint(c, "Response: Success\r\nMessage: Authentication accepted\r\n\r\nEvent: FullyBooted\r\n\r\n")
		f.conns = append(f.conns, c)
	case "Ping":
		fmt.Fprintf(c, "Response: Success\r\n%s\r\nPing: Pong\r\nTimestamp: %d.000000\r\n\r\n", id, f.now.Unix())
	case "CoreShowChannels":
		for _, m := range f.channels {
			fmt.Fprint(c, text(append(slices.Clip(m), ami.Header{Name: "ActionID", Value: channelsID})))
		}
		fmt.Fprintf(c, "Event: CoreShowChannelsComplete\r\n%s\r\n\r\n", id)
	case "Getvar":
		fmt.Fprintf(c, "Response: Success\r\n%s\r\nVariable: MIXMONITOR_FILENAME\r\nValue: /cs/rec/asked.wav\r\n\r\n", id)
	default:
		fmt.Fprintf(c, "Response: Error\r\n%s\r\nMessage: Permission denied\r\n\r\n", id)
	}
}

// send sends events to all who are logged in.
func (f *fake) send(events ...ami.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		for _, m := range events {
			fmt.Fprint(c, text(m))
		}
	}
}

// hangUp breaks all connections.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

func (f *fake) is(now time.Time, channels []ami.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.channels = now, channels
}

func text(m ami.Message) string {
	var b strings.Builder
	for _, h := range m {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	return b.String() + "\r\n"
}

// taker is a relay that takes events, or refuses them with an error.
type taker struct {
	mu      sync.Mutex
	refusal error
	taken   []source.Event
	changed chan struct{}
}

func newTaker() *taker { return &taker{changed: make(chan struct{}, 1)} }

func (r *taker) emitAll(ctx context.Context, events [][]byte) []error {
	errs := make([]error, len(events))
	for i, event := range events {
		errs[i] = r.emit(ctx, event)
	}
	return errs
}

func (r *taker) emit(_ context.Context, body []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusal != nil {
		return r.refusal
	}
	r.taken = append(r.taken, source.Reread(slices.Clone(body), time.Time{}))
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return nil
}

func (r *taker) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = err
}

func (r *taker) events() []source.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// await waits until one of the events taken has that name, and returns all.
func (r *taker) await(t *testing.T, name string) []source.Event {
	t.Helper()
	for deadline := time.After(30 * time.Second); ; {
		all := r.events()
		if slices.ContainsFunc(all, func(o source.Event) bool { return o.Name == name }) {
			return all
		}
		select {
		case <-r.changed:
		case <-deadline:
			t.Fatalf("no %s among %s", name, names(all))
		}
	}
}

func names(all []source.Event) (names []string) {
	for _, o := range all {
		names = append(names, o.Name)
	}
	return names
}

// memory is a [Store] that forgets with the test.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (s *memory) Save(name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string][]byte{}
	}
	s.kept[name] = data
	return nil
}

func (s *memory) Load(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[name], nil
}

// run runs a source until the test ends or stop is called.
func run(t *testing.T, s *Source) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func options(f *fake, r *taker) source.Options {
	return source.Options{
		Config: config.Source{Name: "pbx1", Type: "asterisk", Address: f.Addr().String(), User: "relay", RecordingsFrom: "/cs/rec"},
		Emit:   r.emitAll,
	}
}

// until waits for a state of the source that has no event of its own.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("not seen: " + what)
		}
	}
}
