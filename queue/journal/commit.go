package journal

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// MaxCommit is how many records are committed together.
const MaxCommit = 1000

// Group is what is accepted together or not at all: it is done when all of it
// is on disk. Of one that failed half way, what was stored is recognised when it
// is sent again.
type Group struct {
	Recs  []record.Record
	Notes []record.Note // beside each record; nil: none
	Keys  []string      // what duplicates are recognised by; nil: the records' own; empty: nothing
	Seqs  []uint64      // where each record is stored; filled when not nil
	Done  func(error)

	staked []Hash128 // claims that nobody made before
	stored bool      // some of it is, or all
	bytes  int64
	Err    error
}

// Size estimates what the group takes on disk.
func (g *Group) Size() int64 {
	var size int64
	for i := range g.Recs {
		size += record.SizeOf(&g.Recs[i])
	}
	return size
}

// Committer writes the records of one stream. While one commit runs, what
// arrives is collected, and then committed together: so one fsync serves as
// many records as came meanwhile.
type Committer struct {
	Stream   string
	OnStored func(r *record.Record, seq uint64) // told of what is new in the stream
	failed   func(error)                        // told when it is not known whether a commit happened

	backlog
	wake chan struct{}

	CommitMu longLock // held while a commit runs
	Out      Writer
	Recent   *recent[struct{}] // ids seen lately; nil: duplicates are not looked for
	Claims   *Claims           // nil: what ids stand for does not matter here
	created  time.Time
	durable  uint64 // the last sequence that was acknowledged, or that there was at the first start
	drafts   []Draft
}

// A Writer stores drafts and returns when they survive a power cut: each has its
// sequence then, or its group the reason why not. An error means that it is not
// known what is stored.
type Writer interface {
	Write(drafts []Draft) error
}

// Draft is one record on its way into a stream.
type Draft struct {
	Group *Group
	index int
	hash  Hash128
	seq   uint64   // where it is stored
	known bool     // it was there before
	again []*Group // that hold the same record
}

func (d *Draft) record() *record.Record { return &d.Group.Recs[d.index] }

func (d *Draft) note() record.Note {
	if d.Group.Notes == nil {
		return nil
	}
	return d.Group.Notes[d.index]
}

func (d *Draft) key() string {
	if d.Group.Keys != nil {
		return d.Group.Keys[d.index]
	}
	return d.record().Key()
}

// NewCommitter returns the committer of a stream, which refuses everything until it
// is attached. It calls failed when it is not known whether a commit happened.
func NewCommitter(stream string, failed func(error)) *Committer {
	return &Committer{
		Stream: stream, failed: failed, wake: make(chan struct{}, 1),
		OnStored: func(*record.Record, uint64) {}, CommitMu: newLongLock(),
		backlog: backlog{refuse: fmt.Errorf("%w: starting", record.ErrUnavailable)},
	}
}

// Attach lets the committer write through out.
func (c *Committer) Attach(out Writer) {
	c.CommitMu.Lock()
	c.Out = out
	c.CommitMu.Unlock()
	c.SetRefuse(nil)
}

// Add takes a group. Its done is called from a goroutine of the queue.
func (c *Committer) Add(g *Group) {
	g.bytes = g.Size()
	if err := c.put(g); err != nil {
		go g.Done(err)
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Store adds a group and waits until it is stored, or is not.
func (c *Committer) Store(g *Group) error {
	result := make(chan error, 1)
	g.Done = func(err error) { result <- err }
	c.Add(g)
	return <-result
}

// Run commits until stop is closed. What waits then is committed first.
func (c *Committer) Run(stop <-chan struct{}) {
	for {
		select {
		case <-c.wake:
			c.commitAll()
		case <-stop:
			c.commitAll()
			c.end()
			c.commitAll()
			return
		}
	}
}

// commitAll commits what waits, in order, as many groups at a time as one
// commit takes.
func (c *Committer) commitAll() {
	groups := c.take()
	for len(groups) > 0 {
		n, records := 1, len(groups[0].Recs)
		for n < len(groups) && records+len(groups[n].Recs) <= MaxCommit {
			records += len(groups[n].Recs)
			n++
		}
		c.Commit(groups[:n])
		c.release(groups[:n])
		for _, g := range groups[:n] {
			g.Done(g.Err)
		}
		groups = groups[n:]
	}
}

// Commit stores the groups and returns when they are on disk, or else with
// their err set.
func (c *Committer) Commit(groups []*Group) {
	c.CommitMu.Lock()
	defer c.CommitMu.Unlock()
	if c.Out == nil {
		for _, g := range groups {
			g.Err = record.ErrUnavailable
		}
		c.failed(record.ErrUnavailable)
		return
	}
	drafts := c.draft(groups)
	var unknown error
	for rest := drafts; len(rest) > 0; {
		part := firstPart(rest)
		rest = rest[len(part):]
		if unknown == nil {
			unknown = c.store(part)
		} else {
			c.fail(part, unknown)
		}
	}
	for _, d := range drafts {
		for _, g := range d.again {
			g.Err = errors.Join(g.Err, d.Group.Err)
		}
	}
	for _, g := range groups {
		if g.Err != nil && !g.stored && len(g.staked) > 0 {
			c.Claims.release(g.staked)
		}
	}
	clear(drafts) // no group outlives its commit here
	if unknown != nil {
		c.Out = nil
		c.failed(unknown)
	}
}

// firstPart is what is written at a time: no more than JetStream takes before it
// has stored some.
func firstPart(drafts []Draft) []Draft {
	n, size := 0, int64(0)
	for n < min(len(drafts), MaxCommit) && size < engine.MaxWaitingBytes {
		size += record.SizeOf(drafts[n].record())
		n++
	}
	return drafts[:n]
}

// draft lists the records that are not known yet. They count as known from
// here on; a second copy in the same commit shares the fate of the first.
func (c *Committer) draft(groups []*Group) []Draft {
	c.drafts = c.drafts[:0]
	now := time.Now()
	for _, g := range groups {
		if !c.admits(g, now) {
			continue
		}
		for i := range g.Recs {
			d := Draft{Group: g, index: i}
			if c.Recent != nil {
				d.hash = c.Recent.Hash(d.key())
				if _, known := c.Recent.Add(d.hash, now, struct{}{}); known {
					c.share(d.hash, g)
					continue
				}
			}
			c.drafts = append(c.drafts, d)
		}
	}
	return c.drafts
}

// share notes that g holds a record that is known. When that is part of this
// very commit, g is accepted only if it is stored.
func (c *Committer) share(h Hash128, g *Group) {
	i := slices.IndexFunc(c.drafts, func(d Draft) bool { return d.hash == h })
	if i >= 0 && c.drafts[i].Group != g {
		c.drafts[i].again = append(c.drafts[i].again, g)
	}
}

// store writes one commit. An error means that it is not known what was
// stored; a refusal is set in the groups instead.
func (c *Committer) store(drafts []Draft) error {
	err := c.Out.Write(drafts)
	if err != nil {
		c.fail(drafts, err)
		return err
	}
	for i := range drafts {
		d := &drafts[i]
		if d.seq == 0 { // it was refused
			c.forget(d)
			continue
		}
		d.Group.stored = true
		c.durable = max(c.durable, d.seq)
		if d.Group.Seqs != nil {
			d.Group.Seqs[d.index] = d.seq
		}
		if c.Recent != nil {
			c.Recent.stored(d.hash, d.record(), d.seq)
		}
		if !d.known {
			c.OnStored(d.record(), d.seq)
		}
	}
	return nil
}

func (c *Committer) fail(drafts []Draft, err error) {
	for i := range drafts {
		drafts[i].Group.Err = err
		c.forget(&drafts[i])
	}
}

func (c *Committer) forget(d *Draft) {
	if c.Recent != nil {
		c.Recent.Forget(d.hash)
	}
}

// Same reports whether a stream is the one that the queue knows; its commitMu is
// held.
func (c *Committer) Same(s jetstream.Stream) bool {
	return c.created.IsZero() || c.created.Equal(s.CachedInfo().Created)
}

// longLock is a lock that is held while others are waited for. To wait for it is
// to wait for a channel.
type longLock chan struct{}

func newLongLock() longLock { return make(longLock, 1) }

// Lock waits until nobody has it.
func (l longLock) Lock() { l <- struct{}{} }

// Unlock gives it back.
func (l longLock) Unlock() { <-l }
