package journal

import (
	"hash/maphash"
	"time"

	"callrelay/queue/record"
)

// MaxIDs is how many ids the queue remembers at most, in about 40 bytes each. At
// a rate that stores more within [Options].DedupWindow, the window is as long as
// they last.
const MaxIDs = 2 << 20

// recentParts is about how many parts a window has.
const recentParts = 4

// recent remembers the ids of the last window of time, and a value with each. They
// lie in maps by when they came, and what is too old goes a map at a time. It is
// not safe for concurrent use.
type recent[T any] struct {
	keep  int64 // milliseconds
	most  int   // ids
	seeds [2]maphash.Seed
	parts []*part[T] // oldest first

	Fresh map[Hash128]Lying // what was stored since older ids are being read; nil: none are
}

// part is what came in a part of the window. Times are in milliseconds since this
// process began, whatever the machine's clock says since.
type part[T any] struct {
	began, latest int64
	ids           map[Hash128]seen[T]
}

type seen[T any] struct {
	value T
	at    int32 // since the part began; before it: read from disk
}

// Lying says where a record lies in EVENTS.
type Lying struct {
	Service string
	Seq     uint64
	Claimed bool // the producer gave its id
}

// Hash128 is a keyed hash of an id: two ids never share one by accident nor by
// intent.
type Hash128 [2]uint64

// NewRecent returns a memory of ids that lasts for so long.
func NewRecent(keep time.Duration) *recent[struct{}] { return newRecent[struct{}](keep) }

func newRecent[T any](keep time.Duration) *recent[T] {
	return &recent[T]{keep: keep.Milliseconds(), most: MaxIDs, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

func (r *recent[T]) Hash(key string) Hash128 {
	return Hash128{maphash.String(r.seeds[0], key), maphash.String(r.seeds[1], key)}
}

// Add remembers an id that was seen at a time, and reports whether it was known
// before, and with what. Those of before this process may come in any order.
func (r *recent[T]) Add(h Hash128, at time.Time, value T) (had T, known bool) {
	now := SinceBegan(at).Milliseconds()
	for len(r.parts) > 0 && r.parts[0].latest <= now-r.keep {
		r.parts = r.parts[1:]
	}
	for _, p := range r.parts {
		if s, found := p.ids[h]; found && p.began+int64(s.at) > now-r.keep {
			return s.value, true
		}
		delete(p.ids, h)
	}
	p := r.current(now)
	p.ids[h] = seen[T]{value, int32(now - p.began)}
	p.latest = max(p.latest, now)
	return had, false
}

// Has reports whether an id is known.
func (r *recent[T]) Has(h Hash128, at time.Time) bool {
	now := SinceBegan(at).Milliseconds()
	for _, p := range r.parts {
		if s, found := p.ids[h]; found && p.began+int64(s.at) > now-r.keep {
			return true
		}
	}
	return false
}

// current is the part that takes what comes now.
func (r *recent[T]) current(now int64) *part[T] {
	if n := len(r.parts); n > 0 {
		if p := r.parts[n-1]; now-p.began < r.keep/recentParts && len(p.ids) < r.most/recentParts {
			return p
		}
	}
	for total := r.len(); total > r.most-r.most/recentParts; total = r.len() {
		r.parts = r.parts[1:]
	}
	p := &part[T]{began: now, latest: now, ids: map[Hash128]seen[T]{}}
	r.parts = append(r.parts, p)
	return p
}

func (r *recent[T]) len() int {
	n := 0
	for _, p := range r.parts {
		n += len(p.ids)
	}
	return n
}

// Forget makes h new again.
func (r *recent[T]) Forget(h Hash128) {
	for _, p := range r.parts {
		delete(p.ids, h)
	}
}

// stored notes where what was added lies.
func (r *recent[T]) stored(h Hash128, rec *record.Record, seq uint64) {
	if r.Fresh != nil {
		r.Fresh[h] = Lying{rec.Service, seq, rec.Claim != ""}
	}
}
