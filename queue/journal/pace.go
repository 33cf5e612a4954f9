package journal

import (
	"math/bits"
	"time"
)

const (
	paceClasses = 11  // of sizes: 1, 2 to 3, 4 to 7, ... 1024 and more
	paceLook    = 256 // so often the way that seems slower is tried again
	paceWeight  = 8   // of what is known beside what was measured last
	paceMost    = 4   // how many times what is known one measurement counts at most: a disk may hang
)

// pace knows how long it takes, with the disk and the JetStream that there are,
// to store so many records singly, all on their way at once, and as one atomic
// batch. A single record costs an fsync; a batch costs some milliseconds, and
// then little more however large it is. Where the two cross differs from disk to
// disk, so it is measured. It is not safe for concurrent use.
type pace struct {
	single [paceClasses]time.Duration // by size; 0: not known
	batch  [paceClasses]time.Duration
	tries  [paceClasses]int
}

func paceClass(n int) int { return min(bits.Len(uint(n))-1, paceClasses-1) }

// batches reports whether n records are to be stored as one batch.
func (p *pace) batches(n int) bool {
	if n == 1 {
		return false
	}
	class := paceClass(n)
	single, batch := p.expected(class)
	if single == 0 || batch == 0 {
		return true // so that it is known
	}
	p.tries[class]++
	look := p.tries[class]%paceLook == 0 && max(single, batch) < paceMost*min(single, batch)
	return (batch < single) != look
}

// expected is how long either way takes: as measured, or else as smaller sizes
// let expect. Twice as many single records never take more than twice as long:
// several at a time come mostly after the disk was slow, and what is measured
// then is its slowness. Believing it would choose batches, which at a few hundred
// records a second let so many wait that the next one is a batch again.
func (p *pace) expected(class int) (single, batch time.Duration) {
	for i := range class + 1 {
		single *= 2
		if known := p.single[i]; known > 0 && (single == 0 || known < single) {
			single = known
		}
		if p.batch[i] > 0 {
			batch = p.batch[i]
		}
	}
	return single, batch
}

// note takes up how long n records took.
func (p *pace) note(n int, batched bool, took time.Duration) {
	known := &p.single[paceClass(n)]
	if batched {
		known = &p.batch[paceClass(n)]
	}
	if *known == 0 {
		*known = took
		return
	}
	*known += (min(took, paceMost**known) - *known) / paceWeight
}
