package spool

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

// Spool takes records into an embedded queue while the cluster is away, and
// forwards them when it is back. As long as it holds any, new ones go behind
// them: so the order in which they came is kept. It is safe for concurrent use.
//
// The cluster's committer answers in order what it was given, so a change is made
// in this way: what comes is held, until all that was given is answered.
type Spool struct {
	to    *journal.Store // the cluster's
	seen  func() uint64  // a sequence of EVENTS there: what is sent from now on lies behind it
	local *journal.Store
	doubt journal.Doubt
	noted bool // something of it is saved

	mu      sync.Mutex
	mode    spoolMode
	sent    int              // groups that the cluster's committer has not answered
	writing int              // groups that the embedded queue has not answered
	lost    []*journal.Group // not stored in the cluster, or not for sure, in order
	held    holding          // what came during a change
	closed  bool

	wake    chan struct{} // holds a token when there is something to do
	counted counted
}

// spoolMode is where records go.
type spoolMode uint8

const (
	spoolOff     spoolMode = iota // to the cluster
	spoolTurning                  // nowhere, until it is known what the cluster has of what it was given
	spoolOn                       // into the embedded queue
	spoolEnding                   // nowhere, until the last of that is forwarded
)

// Open opens the embedded queue of a spool, in the folder of a store that stands
// on a cluster. What it holds is forwarded first. seen returns a sequence of
// EVENTS there, behind which all lies that is sent from now on.
func Open(ctx context.Context, to *journal.Store, seen func() uint64) (*Spool, error) {
	s := &Spool{to: to, seen: seen, wake: make(chan struct{}, 1)}
	o := to.Options
	var err error
	s.local, err = openLocal(ctx, engine.Options{
		Dir: filepath.Join(o.Dir, spoolFolder), MaxBytes: o.MaxBytes, DedupWindow: o.DedupWindow, Log: o.Log,
	}, to.Events.Claims)
	if err != nil {
		return nil, err
	}
	err = to.Folder.LoadJSON(spoolState, &s.doubt)
	s.noted = len(s.doubt.Keys) > 0
	held := 0
	if err == nil {
		held, err = total(ctx, s.local)
	}
	if held > 0 {
		s.mode = spoolOn
	}
	if err != nil {
		return nil, errors.Join(err, closeLocal(s.local))
	}
	return s, nil
}

// Take brings a group where it belongs.
func (s *Spool) Take(g *journal.Group) {
	if s.Bridges() {
		s.local.Events.Room()
	} else {
		s.to.Events.Room()
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
func (s *Spool) send(g *journal.Group) {
	s.sent++
	s.to.Take(&journal.Group{Recs: g.Recs, Done: func(err error) { s.answered(g, err) }})
}

// answered is told what became of a group that was sent.
func (s *Spool) answered(g *journal.Group, err error) {
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
func (s *Spool) store(g *journal.Group) {
	s.writing++
	s.local.Take(&journal.Group{Recs: g.Recs, Done: func(err error) {
		s.mu.Lock()
		s.writing--
		s.mu.Unlock()
		s.poke()
		g.Done(err)
	}})
}

func (s *Spool) hold(g *journal.Group) {
	if s.closed {
		go g.Done(fmt.Errorf("%w: closed", record.ErrUnavailable))
		return
	}
	s.held.add(g)
}

// holding is groups that wait, in order.
type holding struct {
	groups []*journal.Group
	bytes  int64
}

func (h *holding) add(g *journal.Group) {
	if h.bytes+g.Size() > engine.MaxWaitingBytes && len(h.groups) > 0 {
		go g.Done(fmt.Errorf("%w: %d groups wait to be spooled", record.ErrFull, len(h.groups)))
		return
	}
	h.groups = append(h.groups, g)
	h.bytes += g.Size()
}

// release passes on what was held.
func (h *holding) release(pass func(*journal.Group)) {
	for _, g := range h.groups {
		pass(g)
	}
	*h = holding{}
}

// Fall is told that the cluster is lost, before its committers refuse anything.
func (s *Spool) Fall() {
	s.mu.Lock()
	s.turn()
	s.mu.Unlock()
	s.poke()
}

func (s *Spool) turn() {
	if s.mode == spoolOff {
		s.mode = spoolTurning
	}
}

// Health returns nil when the spool can take records, and else why not.
func (s *Spool) Health() error { return s.local.Health() }

// Bridges reports whether records go elsewhere than into the cluster.
func (s *Spool) Bridges() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode != spoolOff
}

func (s *Spool) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run does what is to be done until ctx ends.
func (s *Spool) Run(ctx context.Context) {
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
			s.to.Log.Warn("spooled events not forwarded yet", "err", err)
		}
		if said = ""; err != nil {
			said = err.Error()
		}
	}
}

func (s *Spool) step(ctx context.Context) error {
	s.mu.Lock()
	mode, answered := s.mode, s.sent == 0
	s.mu.Unlock()
	switch {
	case mode == spoolTurning && answered:
		return s.begin()
	case mode == spoolOn && s.to.Down() == nil:
		return s.end(ctx)
	}
	return nil
}

// begin puts what the cluster did not store into the embedded queue, and behind
// it what came meanwhile. What the cluster may have stored nevertheless is
// looked for before it is forwarded.
func (s *Spool) begin() error {
	s.mu.Lock()
	lost := s.lost
	s.mu.Unlock()
	err := s.note(s.seen(), lost...)
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
	s.held.release(s.store)
	s.to.Log.Warn("the cluster is away, events are spooled", "err", s.to.Down())
	return err
}

// end forwards what is spooled, and then holds what comes for as long as the
// last of it takes.
func (s *Spool) end(ctx context.Context) error {
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
		err = s.to.Folder.SaveJSON(spoolState, s.doubt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = s.to.Down() // later it is told to fall
	}
	if err != nil {
		s.mode = spoolOn
		s.held.release(s.store)
		return err
	}
	s.mode = spoolOff
	s.held.release(s.send)
	s.to.Log.Info("spooled events are forwarded")
	return nil
}

// settle waits until the embedded queue has answered all it was given.
func (s *Spool) settle(ctx context.Context) error {
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

// Close ends what waits with an error, once the committers have ended.
func (s *Spool) Close() error {
	s.mu.Lock()
	s.closed = true
	left := append(s.lost, s.held.groups...)
	s.lost, s.held = nil, holding{}
	s.mu.Unlock()
	for _, g := range left {
		g.Done(fmt.Errorf("%w: closed", record.ErrUnavailable))
	}
	return closeLocal(s.local)
}
