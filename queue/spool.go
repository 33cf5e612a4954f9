package queue

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// spoolFolder is where in the queue's folder the records wait for a cluster.
const spoolFolder = "spool"

// spoolState is the name under which it is kept what the cluster may have.
const spoolState = "spool"

const spoolTick = 100 * time.Millisecond

// spool takes records into an embedded queue while the cluster is away, and
// forwards them when it is back. As long as it holds any, new ones go behind
// them: so the order in which they came is kept. It is safe for concurrent use.
//
// The cluster's committer answers in order what it was given, so a change is made
// in this way: what comes is held, until all that was given is answered.
type spool struct {
	c     *cluster
	local *Queue
	doubt journal.Doubt
	noted bool // something of it is saved

	mu      sync.Mutex
	mode    spoolMode
	sent    int              // groups that the cluster's committer has not answered
	writing int              // groups that the embedded queue has not answered
	lost    []*journal.Group // not stored in the cluster, or not for sure, in order
	held    []*journal.Group // that came during a change, in order
	bytes   int64            // of these
	closed  bool

	wake    chan struct{} // holds a token when there is something to do
	counted spoolCount
}

// spoolMode is where records go.
type spoolMode uint8

const (
	spoolOff     spoolMode = iota // to the cluster
	spoolTurning                  // nowhere, until it is known what the cluster has of what it was given
	spoolOn                       // into the embedded queue
	spoolEnding                   // nowhere, until the last of that is forwarded
)

// openSpool opens the embedded queue of a spool. What it holds is forwarded
// first.
func openSpool(ctx context.Context, c *cluster) (*spool, error) {
	o := c.q.o
	local, err := openAs(ctx, engine.Options{
		Dir: filepath.Join(o.Dir, spoolFolder), MaxBytes: o.MaxBytes, DedupWindow: o.DedupWindow, Log: o.Log,
	}, inside{unserved: true, claims: c.q.events.Claims})
	if err != nil {
		return nil, err
	}
	s := &spool{c: c, local: local, wake: make(chan struct{}, 1)}
	err = c.q.folder.LoadJSON(spoolState, &s.doubt)
	s.noted = len(s.doubt.Keys) > 0
	held := 0
	if err == nil {
		held, err = s.total(ctx)
	}
	if held > 0 {
		s.mode = spoolOn
	}
	if err != nil {
		return nil, errors.Join(err, local.Close(ctx))
	}
	return s, nil
}

// take brings a group where it belongs.
func (s *spool) take(g *journal.Group) {
	if s.bridges() {
		s.local.events.Room()
	} else {
		s.c.q.events.Room()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.mode {
	case spoolOff:
		s.send(g)
	case spoolOn:
		s.store(g)
	default:
		s.hold(g)
	}
}

// send gives a group to the cluster's committer.
func (s *spool) send(g *journal.Group) {
	s.sent++
	s.c.q.take(&journal.Group{Recs: g.Recs, Done: func(err error) { s.answered(g, err) }})
}

// answered is told what became of a group that was sent.
func (s *spool) answered(g *journal.Group, err error) {
	s.mu.Lock()
	s.sent--
	lost := errors.Is(err, record.ErrUnavailable) && !s.closed
	if lost {
		s.lost = append(s.lost, g)
		s.turn()
	}
	s.mu.Unlock()
	s.poke()
	if !lost {
		g.Done(err)
	}
}

// store gives a group to the embedded queue.
func (s *spool) store(g *journal.Group) {
	s.writing++
	s.local.take(&journal.Group{Recs: g.Recs, Done: func(err error) {
		s.mu.Lock()
		s.writing--
		s.mu.Unlock()
		s.poke()
		g.Done(err)
	}})
}

func (s *spool) hold(g *journal.Group) {
	if s.closed {
		go g.Done(fmt.Errorf("%w: closed", record.ErrUnavailable))
		return
	}
	if s.bytes+g.Size() > engine.MaxWaitingBytes && len(s.held) > 0 {
		go g.Done(fmt.Errorf("%w: %d groups wait to be spooled", record.ErrFull, len(s.held)))
		return
	}
	s.held = append(s.held, g)
	s.bytes += g.Size()
}

// fall is told that the cluster is lost, before its committers refuse anything.
func (s *spool) fall() {
	s.mu.Lock()
	s.turn()
	s.mu.Unlock()
	s.poke()
}

func (s *spool) turn() {
	if s.mode == spoolOff {
		s.mode = spoolTurning
	}
}

// bridges reports whether records go elsewhere than into the cluster.
func (s *spool) bridges() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode != spoolOff
}

func (s *spool) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run does what is to be done until ctx ends.
func (s *spool) run(ctx context.Context) {
	tick := time.NewTicker(spoolTick)
	defer tick.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		err := s.step(ctx)
		if err != nil && err.Error() != said && ctx.Err() == nil {
			s.c.q.o.Log.Warn("spooled events not forwarded yet", "err", err)
		}
		if said = ""; err != nil {
			said = err.Error()
		}
	}
}

func (s *spool) step(ctx context.Context) error {
	s.mu.Lock()
	mode, answered := s.mode, s.sent == 0
	s.mu.Unlock()
	switch {
	case mode == spoolTurning && answered:
		return s.begin()
	case mode == spoolOn && s.c.q.downErr() == nil:
		return s.end(ctx)
	}
	return nil
}

// begin puts what the cluster did not store into the embedded queue, and behind
// it what came meanwhile. What the cluster may have stored nevertheless is
// looked for before it is forwarded.
func (s *spool) begin() error {
	s.mu.Lock()
	lost := s.lost
	s.mu.Unlock()
	err := s.note(s.c.seen.Load(), lost...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range lost {
		if err != nil {
			go g.Done(fmt.Errorf("%w: %w", record.ErrUnavailable, err))
			continue
		}
		s.store(g)
	}
	s.lost, s.mode = nil, spoolOn
	s.release(s.store)
	s.c.q.o.Log.Warn("the cluster is away, events are spooled", "err", s.c.q.downErr())
	return err
}

// release passes on what was held.
func (s *spool) release(pass func(*journal.Group)) {
	for _, g := range s.held {
		pass(g)
	}
	s.held, s.bytes = nil, 0
}

// end forwards what is spooled, and then holds what comes for as long as the
// last of it takes.
func (s *spool) end(ctx context.Context) error {
	if err := s.forwardAll(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.mode = spoolEnding
	s.mu.Unlock()
	err := s.settle(ctx)
	if err == nil {
		err = s.forwardAll(ctx)
	}
	if err == nil && s.noted {
		s.doubt, s.noted = journal.Doubt{}, false
		err = s.c.q.folder.SaveJSON(spoolState, s.doubt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = s.c.q.downErr() // later it is told to fall
	}
	if err != nil {
		s.mode = spoolOn
		s.release(s.store)
		return err
	}
	s.mode = spoolOff
	s.release(s.send)
	s.c.q.o.Log.Info("spooled events are forwarded")
	return nil
}

// settle waits until the embedded queue has answered all it was given.
func (s *spool) settle(ctx context.Context) error {
	for {
		s.mu.Lock()
		writing := s.writing
		s.mu.Unlock()
		if writing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
	}
}

// close ends what waits with an error, once the committers have ended.
func (s *spool) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	left := append(s.lost, s.held...)
	s.lost, s.held = nil, nil
	s.mu.Unlock()
	for _, g := range left {
		g.Done(fmt.Errorf("%w: closed", record.ErrUnavailable))
	}
	return s.local.Close(ctx)
}
