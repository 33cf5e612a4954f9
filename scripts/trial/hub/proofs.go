package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

// How many of an edge's first letters are dead, and what waits, differs from edge
// to edge, so that a list cannot be right by chance.
func deadOf(n int) int    { return n % 5 }
func waitingOf(n int) int { return 1 + n%7 }

// The edges that something becomes of.
const (
	goesAway = 3
	isEmpty  = 4
	isCalled = 5 // by another name
	replayed = 9 // has 4 dead letters
)

// proofs are a hub, its edges, and who operates it.
type proofs struct {
	*stage
	dir    string
	binary string // the relay
	hub    *server
	edges  []*edge
	before int // KiB that the hub has without edges
}

func newProofs(s *stage, n int) *proofs {
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		s.Fatalf("%v", err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &proofs{stage: s, dir: dir}
	if p.binary, err = trial.Build(dir); err != nil {
		s.Fatalf("%v", err)
	}
	names := []string{"renamed"}
	for i := range n {
		names = append(names, fmt.Sprintf("edge%03d", i))
	}
	p.hub = newServer(s, dir, names)
	text := "[queue]\nmax_bytes = \"1GiB\"\ndead_max_bytes = \"1GiB\"\n" + p.hubKeys("operator")
	if err := os.WriteFile(filepath.Join(dir, "operator.toml"), []byte(text), 0o600); err != nil {
		s.Fatalf("%v", err)
	}
	p.operate()
	p.until("the hub is kept", 30*time.Second, func() bool { return p.hub.stored("HUB-DEAD") == 0 })
	p.before = resident(p, p.hub.cmd.Process.Pid)
	for i, name := range names[1:] {
		e := &edge{stage: s, server: p.hub, name: name, dir: filepath.Join(dir, "queues", name)}
		e.open()
		e.take(waitingOf(i), deadOf(i))
		p.edges = append(p.edges, e)
	}
	return p
}

// hubKeys are the lines of a relay.toml that name the hub.
func (p *proofs) hubKeys(user string) string {
	return fmt.Sprintf("[queue.hub]\nurls = [\"tls://%s\"]\ncredentials = %q\ntls = { ca = %q }\n",
		p.hub.leaf, user+":"+password(user), filepath.Join(p.dir, "ca.pem"))
}

// operate runs `relay hub` until the end.
func (p *proofs) operate() {
	cmd := exec.Command(p.binary, "hub", "-c", filepath.Join(p.dir, "operator.toml"))
	log, err := os.Create(filepath.Join(p.dir, "operator.log"))
	if err != nil {
		p.Fatalf("%v", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.Fatalf("%v", err)
	}
	p.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// relay runs a command of the operator.
func (p *proofs) relay(args ...string) string {
	out, err := exec.Command(p.binary, append(args, "-c", filepath.Join(p.dir, "operator.toml"))...).CombinedOutput()
	if err != nil {
		p.Fatalf("relay %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// listed is an edge as `relay status --hub --json` tells of it.
type listed struct {
	Name, State   string
	Waiting, Dead int
	Oldest        time.Time
	Before        []struct{ Waiting, Dead int }
	Formerly      []string
}

func (p *proofs) list() map[string]listed {
	var answer struct{ Edges []listed }
	if err := json.Unmarshal([]byte(p.relay("status", "--hub", "--json")), &answer); err != nil {
		p.Fatalf("%v", err)
	}
	edges := map[string]listed{}
	for _, e := range answer.Edges {
		edges[e.Name] = e
	}
	return edges
}

// differs says what of a list is not as the edges have it; empty: nothing.
func (p *proofs) differs(got map[string]listed) string {
	if len(got) != len(p.edges) {
		return fmt.Sprintf("%d edges, want %d", len(got), len(p.edges))
	}
	for _, e := range p.edges {
		g := got[e.name]
		if g.State != "linked" || g.Waiting != e.waiting || g.Dead != e.dead || g.Oldest.IsZero() != (e.waiting == 0) {
			return fmt.Sprintf("edge %s is %+v, want %d waiting and %d dead", e.name, g, e.waiting, e.dead)
		}
	}
	return ""
}

func (p *proofs) lists() {
	why := ""
	defer func() {
		if why != "" {
			fmt.Println(why)
		}
	}()
	p.until("the list is right", time.Minute, func() bool { why = p.differs(p.list()); return why == "" })
	began := time.Now()
	text := p.relay("status", "--hub")
	fmt.Printf("relay status --hub, %v:\n%s…\n", time.Since(began).Round(time.Millisecond), head(text, 6))
}

func (p *proofs) copies() {
	events, letters := 0, 0
	for _, e := range p.edges {
		events, letters = events+e.waiting+e.dead, letters+e.dead
	}
	p.until("all is copied", 2*time.Minute, func() bool {
		return p.hub.stored("HUB-EVENTS") == events && p.hub.stored("HUB-DEAD") == letters
	})
	if n := strings.Count(p.relay("dead", "list", "--hub", "--json"), "\n"); n != letters {
		p.Fatalf("relay dead list --hub has %d letters, want %d", n, letters)
	}
	fmt.Printf("%d events and %d dead letters copied and listed\n", events, letters)
	after := resident(p, p.hub.cmd.Process.Pid)
	fmt.Printf("memory of the hub: %d KiB without edges, %d KiB with %d: %d KiB an edge\n", p.before, after, len(p.edges), (after-p.before)/len(p.edges))
}

// is waits until the operator's list says of an edge what it should.
func (p *proofs) is(what, name string, right func(listed) bool) {
	var last listed
	took := p.until(what, time.Minute, func() bool { last = p.list()[name]; return right(last) })
	fmt.Printf("%s: noticed within %v: %+v\n", what, took.Round(100*time.Millisecond), last)
}

func (p *proofs) changes() {
	away, empty, called := p.edges[goesAway], p.edges[isEmpty], p.edges[isCalled]
	away.close()
	p.is("an edge is stopped", away.name, func(l listed) bool {
		return l.State == "away" && l.Waiting == away.waiting && l.Dead == away.dead
	})
	empty.close()
	waited := empty.waiting
	if err := os.RemoveAll(empty.dir); err != nil {
		p.Fatalf("%v", err)
	}
	empty.open()
	empty.waiting, empty.dead = 0, 0
	p.is("an edge comes back with an empty folder", empty.name, func(l listed) bool {
		return l.State == "rebuilt" && l.Waiting == 0 && len(l.Before) == 1 && l.Before[0].Waiting == waited
	})
	called.close()
	old := called.name
	called.name = "renamed"
	called.open()
	p.is("an edge comes back under another name", called.name, func(l listed) bool {
		return l.State == "renamed" && l.Waiting == called.waiting && len(l.Formerly) == 1 && l.Formerly[0] == old
	})
	if _, there := p.list()[old]; there {
		p.Fatalf("%s is still listed", old)
	}
}

func (p *proofs) replays() {
	e := p.edges[replayed]
	p.until("its letters are listed", time.Minute, func() bool {
		return strings.Count(p.relay("dead", "list", "--hub", e.name, "--json"), "\n") == e.dead
	})
	fmt.Print(p.relay("dead", "replay", "--hub", e.name, "--all"))
	e.waiting, e.dead = e.waiting+e.dead, 0
	p.is("what was dead waits", e.name, func(l listed) bool { return l.Waiting == e.waiting && l.Dead == 0 })
	if left := p.relay("dead", "list", "--hub", e.name); !strings.HasPrefix(left, "no dead letters") {
		p.Fatalf("still listed:\n%s", left)
	}
}

func head(text string, lines int) string {
	parts := strings.SplitAfterN(text, "\n", lines+1)
	return strings.Join(parts[:min(lines, len(parts))], "")
}
