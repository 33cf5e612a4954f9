package daemon

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	firstRepeat = time.Minute // after a record was told, its repeats are told as a number
	lastRepeat  = time.Hour   // each time after twice as long, up to this
	maxRepeats  = 1000        // records that are told apart; what goes beyond is told each time
)

// repeatHandler tells warnings and errors that come again and again once, and
// then how often they came. What differs in its text, or in what it is about, is
// another one.
type repeatHandler struct {
	slog.Handler
	repeats *repeats
	scope   string // of the attributes that the logger has
}

// repeats are the records told lately. Safe for concurrent use.
type repeats struct {
	mu   sync.Mutex
	told map[string]*repeat
}

// repeat is a record that was told, and how often it came since.
type repeat struct {
	last  slog.Record
	count int
	pause time.Duration
}

func newRepeats() *repeats { return &repeats{told: map[string]*repeat{}} }

func (h *repeatHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn || h.repeats.first(h.key(r), r, h.Handler) {
		return h.Handler.Handle(ctx, r)
	}
	return nil
}

func (h *repeatHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var scope strings.Builder
	for _, a := range attrs {
		scope.WriteString(a.String() + "\n")
	}
	return &repeatHandler{h.Handler.WithAttrs(attrs), h.repeats, h.scope + scope.String()}
}

func (h *repeatHandler) WithGroup(name string) slog.Handler {
	return &repeatHandler{h.Handler.WithGroup(name), h.repeats, h.scope + name + "."}
}

// key is what a record is known by: all of it but what only says which time it
// was.
func (h *repeatHandler) key(r slog.Record) string {
	var key strings.Builder
	key.WriteString(h.scope + r.Level.String() + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "elapsed", "delay", "delivery", "segment", "attempt", "queue_depth":
		default:
			key.WriteString("\n" + a.String())
		}
		return true
	})
	return key.String()
}

// first reports whether a record is to be told, and else counts it.
func (r *repeats) first(key string, record slog.Record, to slog.Handler) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.told[key]; known != nil {
		known.last = record.Clone()
		known.count++
		return false
	}
	if len(r.told) < maxRepeats {
		r.told[key] = &repeat{pause: firstRepeat}
		time.AfterFunc(firstRepeat, func() { r.summarise(key, to) })
	}
	return true
}

// summarise tells how often a record was repeated, or forgets it when it was
// not.
func (r *repeats) summarise(key string, to slog.Handler) {
	r.mu.Lock()
	known := r.told[key]
	record, count := known.last, known.count
	if count == 0 {
		delete(r.told, key)
	} else {
		known.count, known.pause = 0, min(2*known.pause, lastRepeat)
		time.AfterFunc(known.pause, func() { r.summarise(key, to) })
	}
	r.mu.Unlock()
	if count > 0 {
		record.AddAttrs(slog.Int("repeated", count))
		_ = to.Handle(context.Background(), record)
	}
}
