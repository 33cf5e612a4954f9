package queue

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	maxWaitingBytes   = 32 << 20 // of records that wait for a commit
	maxWaitingRecords = 100_000
	maxCommit         = 1000 // records that are committed together

	// roomPatience is how long an event may wait for commits under way before it
	// is refused. They take milliseconds, unless the disk hangs.
	roomPatience = 5 * time.Second
)

// group is what is accepted together or not at all: it is done when all of it
// is on disk. Of one that failed half way, what was stored is recognised when it
// is sent again.
type group struct {
	recs  []Record
	notes []note   // beside each record; nil: none
	keys  []string // what duplicates are recognised by; nil: the records' own; empty: nothing
	seqs  []uint64 // where each record is stored; filled when not nil
	done  func(error)
	bytes int64
	err   error
}

func (g *group) size() int64 {
	var size int64
	for i := range g.recs {
		size += sizeOf(&g.recs[i])
	}
	return size
}

// committer writes the records of one stream. While one commit runs, what
// arrives is collected, and then committed together: so one fsync serves as
// many records as came meanwhile.
type committer struct {
	stream string
	stored func(r *Record, seq uint64) // told of what is new in the stream
	failed func(error)                 // told when it is not known whether a commit happened

	mu      sync.Mutex
	waiting []*group
	records int
	bytes   int64
	refuse  error         // set: nothing is taken, for this reason
	freed   chan struct{} // closed when there is room again; nil: nobody waits for that
	ended   bool          // nothing is committed any more
	wake    chan struct{}

	commitMu sync.Mutex // held while a commit runs
	out      writer
	recent   *recent // ids seen lately; nil: duplicates are not looked for
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
	id    string   // as it was sent
	seq   uint64   // where it is stored
	known bool     // it was there before
	again []*group // that hold the same record
}

func (d *draft) record() *Record { return &d.group.recs[d.index] }

func (d *draft) note() note {
	if d.group.notes == nil {
		return nil
	}
	return d.group.notes[d.index]
}

func (d *draft) key() string {
	if d.group.keys != nil {
		return d.group.keys[d.index]
	}
	return d.record().key()
}

func newCommitter(stream string, failed func(error)) *committer {
	return &committer{
		stream: stream, failed: failed, wake: make(chan struct{}, 1),
		stored: func(*Record, uint64) {}, refuse: fmt.Errorf("%w: starting", ErrUnavailable),
	}
}

// attach lets the committer write through out, which knows the ids of recent.
func (c *committer) attach(out writer, ids *recent) {
	c.commitMu.Lock()
	c.out, c.recent = out, ids
	c.commitMu.Unlock()
	c.setRefuse(nil)
}

// setRefuse makes the committer refuse everything with err; nil: it takes
// again, unless it has ended, as when a restart of the server is overtaken by
// the end of the queue.
func (c *committer) setRefuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.refuse = err
	}
	c.letIn()
}

// room returns when less than half of what may wait does, when nothing is taken
// anyway, or when it has lasted too long: so that who sends faster than the disk
// writes is slowed down and not refused.
func (c *committer) room() {
	var late <-chan time.Time
	for freed := c.crowded(); freed != nil; freed = c.crowded() {
		if late == nil {
			timer := time.NewTimer(roomPatience)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-freed:
		case <-late:
			return
		}
	}
}

// crowded returns a channel that is closed when there may be room; nil: there
// is.
func (c *committer) crowded() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil || c.bytes <= maxWaitingBytes/2 && c.records <= maxWaitingRecords/2 {
		return nil
	}
	if c.freed == nil {
		c.freed = make(chan struct{})
	}
	return c.freed
}

// letIn has all look again who wait for room. The lock is held.
func (c *committer) letIn() {
	if c.freed != nil {
		close(c.freed)
		c.freed = nil
	}
}

// end has the committer refuse everything from here on.
func (c *committer) end() {
	c.setRefuse(fmt.Errorf("%w: closed", ErrUnavailable))
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
}

// add takes a group. Its done is called from a goroutine of the queue.
func (c *committer) add(g *group) {
	g.bytes = g.size()
	if err := c.enqueue(g); err != nil {
		go g.done(err)
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *committer) enqueue(g *group) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return c.refuse
	}
	full := c.bytes+g.bytes > maxWaitingBytes || c.records+len(g.recs) > maxWaitingRecords
	if full && c.records > 0 { // alone, a group of any size is taken: it will never be smaller
		return fmt.Errorf("%w: %d records wait to be written", ErrFull, c.records)
	}
	c.waiting = append(c.waiting, g)
	c.bytes += g.bytes
	c.records += len(g.recs)
	return nil
}

// write adds one record and waits until it is stored. It returns where.
func (c *committer) write(rec Record, n note, key string) (uint64, error) {
	result := make(chan error, 1)
	g := &group{recs: []Record{rec}, notes: []note{n}, keys: []string{key}, seqs: make([]uint64, 1), done: func(err error) { result <- err }}
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
	c.mu.Lock()
	groups := c.waiting
	c.waiting = nil
	c.mu.Unlock()
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

// release takes committed groups off the count of what waits.
func (c *committer) release(groups []*group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		c.bytes -= g.bytes
		c.records -= len(g.recs)
	}
	c.letIn()
}

// commit stores the groups and returns when they are on disk, or else with
// their err set.
func (c *committer) commit(groups []*group) {
	c.commitMu.Lock()
	defer c.commitMu.Unlock()
	if c.out == nil {
		for _, g := range groups {
			g.err = ErrUnavailable
		}
		c.failed(ErrUnavailable)
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
	if unknown != nil {
		c.out = nil
		c.failed(unknown)
	}
}

// firstPart is what is written at a time: no more than JetStream takes before it
// has stored some.
func firstPart(drafts []draft) []draft {
	n, size := 0, int64(0)
	for n < min(len(drafts), maxCommit) && size < maxWaitingBytes {
		size += sizeOf(drafts[n].record())
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
		if d.group.seqs != nil {
			d.group.seqs[d.index] = d.seq
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
