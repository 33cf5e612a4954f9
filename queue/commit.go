package queue

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"callrelay/queue/record"

	"callrelay/queue/engine"
)

// maxCommit is how many records are committed together.
const maxCommit = 1000

// group is what is accepted together or not at all: it is done when all of it
// is on disk. Of one that failed half way, what was stored is recognised when it
// is sent again.
type group struct {
	recs  []record.Record
	notes []record.Note // beside each record; nil: none
	keys  []string      // what duplicates are recognised by; nil: the records' own; empty: nothing
	seqs  []uint64      // where each record is stored; filled when not nil
	done  func(error)

	staked []hash128 // claims that nobody made before
	bytes  int64
	err    error
}

func (g *group) size() int64 {
	var size int64
	for i := range g.recs {
		size += record.SizeOf(&g.recs[i])
	}
	return size
}

// committer writes the records of one stream. While one commit runs, what
// arrives is collected, and then committed together: so one fsync serves as
// many records as came meanwhile.
type committer struct {
	stream string
	stored func(r *record.Record, seq uint64) // told of what is new in the stream
	failed func(error)                        // told when it is not known whether a commit happened

	backlog
	wake chan struct{}

	commitMu longLock // held while a commit runs
	out      writer
	recent   *recent // ids seen lately; nil: duplicates are not looked for
	claims   *claims // nil: what ids stand for does not matter here
	created  time.Time
	durable  uint64 // the last sequence that was acknowledged, or that there was at the first start
	drafts   []draft
}

// A writer stores drafts and returns when they survive a power cut: each has its
// sequence then, or its group the reason why not. An error means that it is not
// known what is stored.
type writer interface {
	write(drafts []draft) error
}

// draft is one record on its way into a stream.
type draft struct {
	group *group
	index int
	hash  hash128
	seq   uint64   // where it is stored
	known bool     // it was there before
	again []*group // that hold the same record
}

func (d *draft) record() *record.Record { return &d.group.recs[d.index] }

func (d *draft) note() record.Note {
	if d.group.notes == nil {
		return nil
	}
	return d.group.notes[d.index]
}

func (d *draft) key() string {
	if d.group.keys != nil {
		return d.group.keys[d.index]
	}
	return d.record().Key()
}

func newCommitter(stream string, failed func(error)) *committer {
	return &committer{
		stream: stream, failed: failed, wake: make(chan struct{}, 1),
		stored: func(*record.Record, uint64) {}, commitMu: newLongLock(),
		backlog: backlog{refuse: fmt.Errorf("%w: starting", record.ErrUnavailable)},
	}
}

// attach lets the committer write through out.
func (c *committer) attach(out writer) {
	c.commitMu.Lock()
	c.out = out
	c.commitMu.Unlock()
	c.setRefuse(nil)
}

// add takes a group. Its done is called from a goroutine of the queue.
func (c *committer) add(g *group) {
	g.bytes = g.size()
	if err := c.put(g); err != nil {
		go g.done(err)
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write adds one record and waits until it is stored. It returns where.
func (c *committer) write(rec record.Record, n record.Note, key string) (uint64, error) {
	result := make(chan error, 1)
	g := &group{recs: []record.Record{rec}, notes: []record.Note{n}, keys: []string{key}, seqs: make([]uint64, 1), done: func(err error) { result <- err }}
	c.add(g)
	err := <-result
	return g.seqs[0], err
}

// run commits until stop is closed. What waits then is committed first.
func (c *committer) run(stop <-chan struct{}) {
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
func (c *committer) commitAll() {
	groups := c.take()
	for len(groups) > 0 {
		n, records := 1, len(groups[0].recs)
		for n < len(groups) && records+len(groups[n].recs) <= maxCommit {
			records += len(groups[n].recs)
			n++
		}
		c.commit(groups[:n])
		c.release(groups[:n])
		for _, g := range groups[:n] {
			g.done(g.err)
		}
		groups = groups[n:]
	}
}

// commit stores the groups and returns when they are on disk, or else with
// their err set.
func (c *committer) commit(groups []*group) {
	c.commitMu.Lock()
	defer c.commitMu.Unlock()
	if c.out == nil {
		for _, g := range groups {
			g.err = record.ErrUnavailable
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
			g.err = errors.Join(g.err, d.group.err)
		}
	}
	for _, g := range groups {
		if g.err != nil && len(g.staked) > 0 {
			c.claims.release(g.staked)
		}
	}
	clear(drafts) // no group outlives its commit here
	if unknown != nil {
		c.out = nil
		c.failed(unknown)
	}
}

// firstPart is what is written at a time: no more than JetStream takes before it
// has stored some.
func firstPart(drafts []draft) []draft {
	n, size := 0, int64(0)
	for n < min(len(drafts), maxCommit) && size < engine.MaxWaitingBytes {
		size += record.SizeOf(drafts[n].record())
		n++
	}
	return drafts[:n]
}

// draft lists the records that are not known yet. They count as known from
// here on; a second copy in the same commit shares the fate of the first.
func (c *committer) draft(groups []*group) []draft {
	c.drafts = c.drafts[:0]
	now := time.Now()
	for _, g := range groups {
		if !c.claims.admits(g, now) {
			continue
		}
		for i := range g.recs {
			d := draft{group: g, index: i}
			if c.recent != nil {
				d.hash = c.recent.hash(d.key())
				if !c.recent.add(d.hash, now) {
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
func (c *committer) share(h hash128, g *group) {
	i := slices.IndexFunc(c.drafts, func(d draft) bool { return d.hash == h })
	if i >= 0 && c.drafts[i].group != g {
		c.drafts[i].again = append(c.drafts[i].again, g)
	}
}

// store writes one commit. An error means that it is not known what was
// stored; a refusal is set in the groups instead.
func (c *committer) store(drafts []draft) error {
	err := c.out.write(drafts)
	if err != nil {
		c.fail(drafts, err)
		return err
	}
	for i := range drafts {
		d := &drafts[i]
		if d.seq == 0 {
			c.forget(d)
			continue
		}
		c.durable = max(c.durable, d.seq)
		if d.group.seqs != nil {
			d.group.seqs[d.index] = d.seq
		}
		if c.recent != nil {
			c.recent.stored(d.hash, d.record().Service, d.seq)
		}
		if !d.known {
			c.stored(d.record(), d.seq)
		}
	}
	return nil
}

func (c *committer) fail(drafts []draft, err error) {
	for i := range drafts {
		drafts[i].group.err = err
		c.forget(&drafts[i])
	}
}

func (c *committer) forget(d *draft) {
	if c.recent != nil {
		c.recent.forget(d.hash)
	}
}

// longLock is a lock that is held while others are waited for. To wait for it is
// to wait for a channel.
type longLock chan struct{}

func newLongLock() longLock { return make(longLock, 1) }

// Lock waits until nobody has it.
func (l longLock) Lock() { l <- struct{}{} }

// Unlock gives it back.
func (l longLock) Unlock() { <-l }
