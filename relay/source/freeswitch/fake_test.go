package freeswitch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/source"
)

// fake is an event socket that answers commands and says what it is told to.
type fake struct {
	net.Listener
	mu      sync.Mutex
	answers map[string]string // to api commands; without one: -ERR
	mute    bool              // answers no api command
	current net.Conn
	ready   chan struct{} // a client has subscribed
}

const testPassword = "ClueCon"

func newFake(t testing.TB) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{Listener: l, answers: map[string]string{askChannels: `{"row_count":0}`}, ready: make(chan struct{}, 10)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.current = c
			f.mu.Unlock()
			serving.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); f.cut(); serving.Wait() })
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "Content-Type: auth/request\n\n")
	in := bufio.NewScanner(c)
	for in.Scan() {
		switch command := in.Text(); {
		case command == "":
		case command == "auth "+testPassword:
			f.write(c, "Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
		case strings.HasPrefix(command, "auth "):
			f.write(c, "Content-Type: command/reply\nReply-Text: -ERR invalid\n\nContent-Type: text/disconnect-notice\nContent-Length: 4\n\nbye\n")
			return
		case strings.HasPrefix(command, "event "):
			f.write(c, "Content-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n")
		case strings.HasPrefix(command, "api "):
			f.answer(c, strings.TrimPrefix(command, "api "))
			if command == "api "+askAgents { // the last that it wants to know, when nothing goes on
				f.ready <- struct{}{}
			}
		}
	}
}

func (f *fake) answer(c net.Conn, command string) {
	f.mu.Lock()
	text, ok := f.answers[command]
	mute := f.mute
	f.mu.Unlock()
	if mute {
		return
	}
	if !ok {
		text = "-ERR no such command"
	}
	f.write(c, fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text))
}

func (f *fake) write(c net.Conn, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = io.WriteString(c, text)
}

func (f *fake) set(command, answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[command] = answer
}

// send says something to the client.
func (f *fake) send(wire []byte) {
	f.mu.Lock()
	c := f.current
	f.mu.Unlock()
	f.write(c, string(wire))
}

// cut closes the connection.
func (f *fake) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		f.current.Close()
	}
}

// awaitClient waits until a client has subscribed.
func (f *fake) awaitClient(t testing.TB) {
	t.Helper()
	select {
	case <-f.ready:
	case <-time.After(20 * time.Second):
		t.Fatal("no client")
	}
}

// taker takes events as the relay does.
type taker struct {
	mu      sync.Mutex
	refusal error
	taken   []map[string]any
	changed chan struct{}
}

func newTaker() *taker { return &taker{changed: make(chan struct{}, 1)} }

// singly takes events one by one.
func singly(emit func(context.Context, []byte) error) source.Emit {
	return func(ctx context.Context, events [][]byte) []error {
		errs := make([]error, len(events))
		for i, event := range events {
			errs[i] = emit(ctx, event)
		}
		return errs
	}
}

func (r *taker) emit(_ context.Context, body []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusal != nil {
		return r.refusal
	}
	var e map[string]any
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	r.taken = append(r.taken, e)
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return nil
}

func (r *taker) events() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]any(nil), r.taken...)
}

// await waits for so many events of that name and returns all.
func (r *taker) await(t testing.TB, name string, n int) []map[string]any {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		all := r.events()
		if count(all, name) >= n {
			return all
		}
		select {
		case <-r.changed:
		case <-deadline:
			t.Fatalf("not seen: %d %s in %d events", n, name, len(all))
		}
	}
}

func count(events []map[string]any, name string) (n int) {
	for _, e := range events {
		if e["event"] == name {
			n++
		}
	}
	return n
}

func options(t testing.TB, f *fake, r *taker) source.Options {
	t.Helper()
	return source.Options{
		Config: config.Source{Name: "fs", Type: "freeswitch", Address: f.Addr().String(), Password: config.NewSecret(testPassword), RecordingsFrom: recordingsDir},
		Emit:   singly(r.emit), Store: &memory{},
	}
}

// run runs a source until the test, or what is returned, ends it.
func run(t testing.TB, s *Source) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func secretOf(text string) config.Secret { return config.NewSecret(text) }

// until waits for a state of the source that has no event of its own.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("not seen: " + what)
		}
	}
}
