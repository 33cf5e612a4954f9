package limit

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// listen starts an HTTP server behind a limited listener, which answers ok and
// closes, and lets in those that ask for /in.
func listen(t *testing.T, o Options) *Listener {
	t.Helper()
	dir, err := os.MkdirTemp("", "lim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	inner, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, o)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serveOne(c.(*Conn)) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return l
}

// serveOne answers requests, and keeps the connection of who asked for /in.
func serveOne(c *Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		answer := "ok"
		if c.Denied {
			answer = "denied"
		}
		in := req.URL.Path == "/in"
		if in {
			c.Prove() // before the answer: who has it counts on its place
		}
		_, _ = io.WriteString(c, answer+" "+c.Peer+"\n")
		if !in {
			return
		}
	}
}

// peers names the peers of a listener in the order in which they connect.
func peers(names ...string) func(net.Conn) (string, bool) {
	return func(net.Conn) (string, bool) {
		name := names[0]
		if len(names) > 1 {
			names = names[1:]
		}
		return strings.TrimPrefix(name, "!"), !strings.HasPrefix(name, "!")
	}
}

type visitor struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, l *Listener) visitor {
	t.Helper()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { _ = c.Close() })
	return visitor{c, bufio.NewReader(c)}
}

// ask sends a request and returns the first line that comes.
func (v visitor) ask(t *testing.T, path string) string {
	t.Helper()
	_, _ = io.WriteString(v, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	line, _ := v.r.ReadString('\n')
	return strings.TrimSpace(line)
}

func TestHeadComesInPieces(t *testing.T) {
	v := dial(t, listen(t, Options{Places: 1, Peer: peers("a")}))
	for _, part := range []string{"GET /in HT", "TP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 5000), "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"} {
		_, _ = io.WriteString(v, part)
	}
	rest, _ := io.ReadAll(v.r)
	if want := "ok a\nok a\n"; string(rest) != want {
		t.Errorf("answers = %q, want %q", rest, want)
	}
}

func TestAnotherPeersShareIsItsOwn(t *testing.T) {
	l := listen(t, Options{Places: 4, Peer: peers("a", "a", "a", "a", "a", "b", "a")})
	first := dial(t, l)
	if got := first.ask(t, "/in"); got != "ok a" {
		t.Fatalf("got %q", got)
	}
	second := dial(t, l)
	dial(t, l)
	dial(t, l)
	if got := dial(t, l).ask(t, "/"); !strings.HasPrefix(got, "HTTP/1.1 503") {
		t.Errorf("one more of the same peer: %q, want 503", got)
	}
	b := dial(t, l)
	if got := b.ask(t, "/in"); got != "ok b" {
		t.Errorf("another peer: %q", got)
	}
	if line, _ := second.r.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 503") {
		t.Errorf("the one that has waited longest is told %q, want 503", line)
	}
	if got := first.ask(t, "/in"); got != "ok a" {
		t.Errorf("the one that was let in: %q", got)
	}
}

func TestPeerWithMostPlacesGivesWayThoughLetIn(t *testing.T) {
	l := listen(t, Options{Places: 4, Peer: peers("a", "a", "a", "a", "b")})
	for range 4 {
		if got := dial(t, l).ask(t, "/in"); got != "ok a" {
			t.Fatalf("got %q", got)
		}
	}
	if got := dial(t, l).ask(t, "/in"); got != "ok b" {
		t.Errorf("another peer: %q", got)
	}
}

func TestNewcomerInACrowd(t *testing.T) {
	l := listen(t, Options{Places: 3, Crowd: true, Peer: peers("a")})
	in, silent, half := dial(t, l), dial(t, l), dial(t, l)
	_, _ = io.WriteString(half, "GET / HTTP")
	if got := in.ask(t, "/in"); got != "ok a" {
		t.Fatalf("got %q", got)
	}
	for range 3 {
		if got := dial(t, l).ask(t, "/"); got != "ok a" {
			t.Errorf("a newcomer: %q", got)
		}
	}
	if line, _ := silent.r.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 503") {
		t.Errorf("the silent one is told %q, want 503", line)
	}
	if got := in.ask(t, "/in"); got != "ok a" {
		t.Errorf("the one that was let in: %q", got)
	}
}

func TestWhoMayNotComeInTakesNoPlace(t *testing.T) {
	l := listen(t, Options{Places: 1, Peer: peers("!a", "!a", "b")})
	denied := dial(t, l)
	dial(t, l)
	if got := dial(t, l).ask(t, "/in"); got != "ok b" {
		t.Errorf("who may: %q", got)
	}
	if got := denied.ask(t, "/"); got != "denied a" {
		t.Errorf("who may not: %q", got)
	}
}

func TestLongHeadsAreBounded(t *testing.T) {
	l := listen(t, Options{Places: 1000, Peer: peers("a")})
	l.heads.Store(longHeads)
	v := dial(t, l)
	_, _ = io.WriteString(v, "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 2*freeHead))
	if line, _ := v.r.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 503") {
		t.Errorf("a long head is told %q, want 503", line)
	}
	if got := dial(t, l).ask(t, "/"); got != "ok a" {
		t.Errorf("a short one: %q", got)
	}
	if got := l.heads.Load(); got != longHeads {
		t.Errorf("%d bytes are held", got-longHeads)
	}
}

func TestCloseLetsTheWaitingGo(t *testing.T) {
	l := listen(t, Options{Places: 9, Peer: peers("a")})
	in, silent := dial(t, l), dial(t, l)
	if got := in.ask(t, "/in"); got != "ok a" {
		t.Fatalf("got %q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.r.ReadByte(); err == nil {
		t.Error("the silent one is not closed")
	}
	if got := in.ask(t, "/"); got != "ok a" {
		t.Errorf("the one that was given out: %q", got)
	}
}
