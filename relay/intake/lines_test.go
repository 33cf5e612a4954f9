package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/limit"
)

func TestLineIsAnsweredAfterTheCommit(t *testing.T) {
	r := start(t, "")
	r.queue.hold()
	c := r.dial(t)
	c.send(`{"event":"post_call","id":"a"}` + "\n")
	r.queue.await(t, 1)
	c.silent()
	r.queue.release(0, nil)
	if got := c.line(); got != accepted("a") {
		t.Errorf("answer = %s", got)
	}
}

func TestLinesAreAnsweredInOrder(t *testing.T) {
	r := start(t, "")
	r.queue.hold()
	c := r.dial(t)
	c.send("{\"event\":\"post_call\",\"id\":\"a\"}\n{\"event\":\"call_end\",\"id\":\"owed to nobody\"}\nx\n{\"event\":\"post_call\",\"id\":\"c\"}\n")
	r.queue.await(t, 2)
	r.queue.release(1, nil)
	c.silent()
	r.queue.release(0, queue.ErrFull)
	for _, want := range []string{
		`{"error":"queue is full","status":503,"retry_after":5}`,
		accepted("owed to nobody"),
		`{"error":"not valid JSON: invalid character 'x' at start of value at byte 1","field":"","status":400}`,
		accepted("c"),
	} {
		if got := c.line(); got != want {
			t.Errorf("answer = %s, want %s", got, want)
		}
	}
}

func TestLinesAreCutApart(t *testing.T) {
	r := start(t, "")
	for _, test := range []struct {
		name string
		send string
		want []string
	}{
		{"white space before the first line", " \r\n\n{\"event\":\"dequeue\",\"id\":\"a\"}\n", []string{accepted("a")}},
		{"carriage returns", "{\"event\":\"dequeue\",\"id\":\"a\"}\r\n\r\n{\"event\":\"dequeue\",\"id\":\"b\"}\r\n", []string{accepted("a"), accepted("b")}},
		{"no line feed at the end", `{"event":"dequeue","id":"a"}`, []string{accepted("a")}},
		{"segments", `{"event":"dequeue","id":"a","segments":[{},{"segment_id":"x"}]}`, []string{accepted("a/1", "a/x")}},
		{"nothing but white space", " \n\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := r.dial(t)
			c.send(test.send)
			_ = c.CloseWrite()
			for _, want := range test.want {
				if got := c.line(); got != want {
					t.Errorf("answer = %s, want %s", got, want)
				}
			}
			if got := c.line(); got != "" {
				t.Errorf("a further answer: %s", got)
			}
		})
	}
}

func TestBadLines(t *testing.T) {
	r := start(t, "max_event = \"300KiB\"")
	c := r.dial(t)
	c.send("{") // from here on the connection speaks JSON
	for i, test := range []struct {
		name string
		line string
		want string
	}{
		{"no JSON", `event}`, `{"error":"not valid JSON: invalid character 'e' at start of value at byte 2","field":"","status":400}`},
		{"no event", `{"queue":"a"}`, `{"error":"event: required","field":"event","status":400}`},
		{"twice", `{"event":"x","ani":1,"ani":2}`, `{"error":"ani: given twice","field":"ani","status":400}`},
		{"invalid UTF-8", "{\"event\":\"x\",\"a\":\"\xff\"}", `{"error":"a: not valid JSON: invalid UTF-8 at byte 19","field":"a","status":400}`},
		{"reserved", `{"event":"relay_gap"}`, `{"error":"event: \"relay_gap\" is reserved: only the relay raises it","field":"event","status":400}`},
		{"a recording elsewhere", `{"event":"x","recording":"/etc/passwd"}`, `{"error":"recording: not below recordings.dir","field":"recording","status":400}`},
		{"an array", `[{"event":"x"}]`, `{"error":"not an event: want a JSON object","field":"","status":400}`},
		{"in a segment", `{"event":"x","segments":[{"queue":[]}]}`, `{"error":"segments[0].queue: want a string or a number","field":"segments[0].queue","status":400}`},
		{"too long", `{"event":"x","a":"` + strings.Repeat("a", 300<<10) + `"}`, `{"error":"the line is too long: at most 307200 bytes an event","field":"","status":413}`},
		{"far too long", `{"event":"x","a":"` + strings.Repeat("a", 3<<20) + `"}`, `{"error":"the line is too long: at most 307200 bytes an event","field":"","status":413}`},
		{
			"too large after splitting", `{"event":"x","a":"` + strings.Repeat("a", 100<<10) + `","segments":[{}` + strings.Repeat(`,{"segment_id":1}`, 60) + `]}`,
			`{"error":"more than 4194304 bytes after splitting into segments","field":"","status":413}`,
		},
	} {
		line := test.line
		if i == 0 {
			line = strings.TrimPrefix(line, "{")
		}
		go func() { _, _ = c.Write([]byte(line + "\n")) }()
		if got := c.line(); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: answer = %s, want %s", test.name, got, test.want)
		}
	}
	c.send(`{"event":"dequeue","id":"still here"}` + "\n")
	if got := c.line(); got != accepted("still here") {
		t.Errorf("answer after the bad lines = %s", got)
	}
	if got := len(r.queue.records()); got != 1 {
		t.Errorf("%d records written, want the last event's alone", got)
	}
}

func TestLineOfExactlyTheLimit(t *testing.T) {
	r := start(t, "max_event = \"64KiB\"")
	c := r.dial(t)
	event := func(n int) string {
		const frame = `{"event":"dequeue","id":"a","p":""}`
		return strings.Replace(frame, `"p":""`, `"p":"`+strings.Repeat("x", n-len(frame))+`"`, 1)
	}
	go c.send(event(64<<10) + "\n" + event(64<<10+1) + "\n")
	if got := c.line(); got != accepted("a") {
		t.Errorf("answer = %s", got)
	}
	if got := c.line(); !strings.Contains(got, `"status":413`) {
		t.Errorf("answer to a byte more = %s", got)
	}
}

func TestManyLinesPipelined(t *testing.T) {
	const lines = 20_000
	r := start(t, "")
	c := r.dial(t)
	go func() {
		w := bufio.NewWriter(c)
		for i := range lines {
			_, _ = fmt.Fprintf(w, "{\"event\":\"dequeue\",\"id\":\"%d\"}\n", i)
		}
		_ = w.Flush()
		_ = c.CloseWrite()
	}()
	for i := range lines {
		if got, want := c.line(), accepted(fmt.Sprint(i)); got != want {
			t.Fatalf("answer %d = %s, want %s", i, got, want)
		}
	}
	if got := len(r.queue.records()); got != lines {
		t.Errorf("%d records written, want %d", got, lines)
	}
}

// A peer that sends and never reads fills its own outbox, and nothing else: the
// queue's callbacks go through and others are served.
func TestPeerThatDoesNotRead(t *testing.T) {
	r := start(t, "")
	c := r.dial(t)
	line := []byte(`{"event":"dequeue","id":"` + strings.Repeat("i", 100) + `"}` + "\n")
	sent := 0
	for ; sent < 200_000; sent++ {
		_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := c.Write(line); err != nil {
			break
		}
	}
	if sent == 200_000 {
		t.Fatal("the peer could send without end")
	}
	if got := len(r.queue.records()); got > sent || got < sent/2 {
		t.Errorf("%d of %d lines reached the queue", got, sent)
	}
	other := r.dial(t)
	other.send(`{"event":"dequeue","id":"b"}` + "\n")
	if got := other.line(); got != accepted("b") {
		t.Errorf("another peer's answer = %s", got)
	}
	want := accepted(strings.Repeat("i", 100))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	for i := range sent {
		if got := c.line(); got != want {
			t.Fatalf("answer %d = %s", i, got)
		}
	}
}

func TestPeerMayNotSendTooFarAhead(t *testing.T) {
	r := start(t, "")
	r.queue.hold()
	c := r.dial(t)
	go func() {
		for range 2 * maxAhead {
			if _, err := c.Write([]byte(`{"event":"dequeue","id":"a"}` + "\n")); err != nil {
				return
			}
		}
	}()
	r.queue.await(t, maxAhead)
	select {
	case <-r.queue.arrived:
		t.Error("more events are taken than may be unanswered")
	case <-time.After(50 * time.Millisecond):
	}
	for part := range 2 { // read in between: unread answers fill the socket
		for i := range maxAhead {
			r.queue.release(part*maxAhead+i, nil)
		}
		for i := range maxAhead {
			if got := c.line(); got != accepted("a") {
				t.Fatalf("answer %d of part %d = %s", i, part, got)
			}
		}
		if part == 0 {
			r.queue.await(t, maxAhead)
		}
	}
}

func TestPeerThatHangsUp(t *testing.T) {
	r := start(t, "")
	r.queue.hold()
	c := r.dial(t)
	c.send(`{"event":"dequeue","id":"a"}` + "\n")
	r.queue.await(t, 1)
	_ = c.Close()
	r.queue.release(0, nil)
	r.stop() // waits for the connection
}

func FuzzLineReader(f *testing.F) {
	f.Add([]byte("{}\n\n {\"a\":1} \r\nlast"), 20)
	f.Add([]byte(strings.Repeat("x", 100)+"\nok\n"), 16)
	f.Add([]byte("{}"+strings.Repeat(" ", 99)+"{}\nok\n"), 16)
	f.Add([]byte(strings.Repeat(" ", 7)+strings.Repeat("0", 58)+strings.Repeat(" ", 15)+"0"), 58)
	f.Add([]byte(strings.Repeat(" ", 99)+"{}"+strings.Repeat(" ", 99)), 16)
	f.Fuzz(func(t *testing.T, data []byte, most int) {
		if most < 0 || most > 1<<16 {
			return
		}
		var want []string
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			if line = bytes.Trim(line, " \t\r"); len(line) > most {
				line = []byte("too long")
			}
			if len(line) > 0 {
				want = append(want, string(line))
			}
		}
		var got []string
		lines := lineReader{r: bufio.NewReaderSize(bytes.NewReader(data), 16), ctx: t.Context(), share: limit.NewBytes(99).Of("")}
		for {
			line, err := lines.next(int64(most))
			if errors.Is(err, io.EOF) {
				break
			}
			if _, long := errors.AsType[*call.Error](err); long {
				line = []byte("too long")
			}
			if len(line) > 0 {
				got = append(got, string(line))
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("limit %d: got %q, want %q", most, got, want)
		}
	})
}
