package journal

import (
	"hash/maphash"
	"math"
	"time"
)

// recent remembers the ids of the last window of time, in about 40 bytes each:
// a ring of 128-bit hashes in the order of their arrival, and an open-addressed
// table of places in it. It is not safe for concurrent use.
type recent struct {
	keep  time.Duration
	most  int // ids
	seeds [2]maphash.Seed

	chunks [][]Seen // oldest first; every chunk but the last is full
	first  uint32   // number of the oldest entry; numbers run through all chunks
	next   uint32   // number of the next entry
	table  []uint32 // number+1 of an entry, by its hash; 0 is free
	used   int

	Fresh map[Hash128]Lying // what was stored since older ids are being read; nil: none are
}

// Lying says where a record lies in EVENTS.
type Lying struct {
	Service string
	Seq     uint64
}

// stored notes where what was added lies.
func (r *recent) stored(h Hash128, service string, seq uint64) {
	if r.Fresh != nil {
		r.Fresh[h] = Lying{service, seq}
	}
}

// Hash128 is a keyed hash of an id: two ids never share one by accident nor by
// intent.
type Hash128 [2]uint64

// Seen is an id, and when it was seen.
type Seen struct {
	Hash Hash128
	At   int64  // milliseconds since this process began, whatever the machine's clock says since; or forgotten
	sum  uint64 // what it stands for, of claims
}

const (
	chunkLen  = 4096
	forgotten = math.MinInt64
)

// MaxIDs is how many ids the queue remembers at most, in about 40 bytes each. At
// a rate that stores more within [Options].DedupWindow, the window is as long as
// they last.
const MaxIDs = 2 << 20

// NewRecent returns a memory of ids that lasts for so long.
func NewRecent(keep time.Duration) *recent {
	return &recent{keep: keep, most: MaxIDs, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, table: make([]uint32, 1024)}
}

func (r *recent) Hash(key string) Hash128 {
	return Hash128{maphash.String(r.seeds[0], key), maphash.String(r.seeds[1], key)}
}

// add remembers h and reports whether it was new.
func (r *recent) add(h Hash128, now time.Time) bool {
	return r.AddAt(Seen{Hash: h, At: SinceBegan(now).Milliseconds()})
}

// AddAt does so for one that was seen before. Those may come in any order.
func (r *recent) AddAt(s Seen) bool {
	h, oldest := s.Hash, s.At-r.keep.Milliseconds()
	r.expire(oldest)
	at, found := r.find(h)
	if found && r.entry(r.table[at]-1).At > oldest {
		return false
	}
	if found { // it lies behind younger ones, or it would be gone
		r.Forget(h)
		at, _ = r.find(h)
	}
	if r.used*4 >= len(r.table)*3 {
		r.rebuild(len(r.table) * 2)
		at, _ = r.find(h)
	}
	if r.next > math.MaxInt32 {
		r.rebuild(len(r.table))
	}
	if n := len(r.chunks); n == 0 || len(r.chunks[n-1]) == chunkLen {
		r.chunks = append(r.chunks, make([]Seen, 0, chunkLen))
	}
	last := &r.chunks[len(r.chunks)-1]
	*last = append(*last, s)
	r.next++
	r.table[at] = r.next // number+1
	r.used++
	return true
}

// Forget makes h new again.
func (r *recent) Forget(h Hash128) {
	at, found := r.find(h)
	if !found {
		return
	}
	r.entry(r.table[at] - 1).At = forgotten
	r.remove(at)
}

// expire drops what is older than the window, and the oldest when there are too
// many.
func (r *recent) expire(oldest int64) {
	for r.first != r.next {
		e := r.entry(r.first)
		if e.At > oldest && r.used < r.most {
			break
		}
		if e.At != forgotten {
			if at, found := r.find(e.Hash); found {
				r.remove(at)
			}
		}
		r.first++
		if r.first%chunkLen == 0 {
			r.chunks = r.chunks[1:]
		}
	}
	if len(r.table) > 1024 && r.used*16 < len(r.table) {
		r.rebuild(len(r.table) / 4)
	}
}

// entry returns the entry of a number. The oldest chunk begins at a multiple
// of chunkLen.
func (r *recent) entry(number uint32) *Seen {
	chunk := number/chunkLen - r.first/chunkLen
	return &r.chunks[chunk][number%chunkLen]
}

// find returns the place of h in the table, or the free one where it belongs.
func (r *recent) find(h Hash128) (uint64, bool) {
	mask := uint64(len(r.table) - 1)
	for at := h[0] & mask; ; at = (at + 1) & mask {
		number := r.table[at]
		if number == 0 {
			return at, false
		}
		if r.entry(number-1).Hash == h {
			return at, true
		}
	}
}

// remove frees a place of the table and moves those behind it forward that
// would not be found any more.
func (r *recent) remove(at uint64) {
	mask := uint64(len(r.table) - 1)
	r.used--
	for free, i := at, (at+1)&mask; ; i = (i + 1) & mask {
		number := r.table[i]
		if number == 0 {
			r.table[free] = 0
			return
		}
		home := r.entry(number - 1).Hash[0] & mask
		if (i-home)&mask >= (i-free)&mask {
			r.table[free] = number
			free = i
		}
	}
}

// rebuild gives the table another size and numbers the entries from the
// beginning, so that the numbers never run out.
func (r *recent) rebuild(size int) {
	old, shift := r.table, r.first-r.first%chunkLen
	r.first -= shift
	r.next -= shift
	r.table = make([]uint32, size)
	mask := uint64(size - 1)
	for _, number := range old {
		if number == 0 {
			continue
		}
		number -= shift
		at := r.entry(number - 1).Hash[0] & mask
		for r.table[at] != 0 {
			at = (at + 1) & mask
		}
		r.table[at] = number
	}
}
