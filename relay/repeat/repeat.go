// Package repeat keeps logs quiet: a warning or error that comes again and again
// is logged once, and then as a number.
//
// What a record is about is its key: the one it was given by [Key], else all of
// its text. Nothing is kept for longer than a record goes on.
package repeat

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// When repeats are logged.
const (
	First = time.Minute // after a record, its repeats are logged as a number
	Last  = time.Hour   // each time after twice as long, up to this

	maxKnown = 1000 // records that are known apart; what goes beyond is logged each time
)

// keyName is the attribute that holds the key. It is not written.
const keyName = "repeat"

// Key is an attribute by which a record is known as a repeat of another,
// whatever else it says. Without parts, it never is one.
func Key(parts ...any) slog.Attr {
	if len(parts) == 0 {
		return slog.String(keyName, "")
	}
	return slog.String(keyName, fmt.Sprintf("%q", parts))
}

// Handler passes records on, repeats as numbers.
type Handler struct {
	slog.Handler
	known *known
	scope string // of the attributes that the logger has
}

// NewHandler makes a handler that passes records on to another.
func NewHandler(to slog.Handler) *Handler {
	return &Handler{Handler: to, known: &known{records: map[string]*record{}}}
}

// Handle passes on a record that is no repeat.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	r, key := h.split(r)
	if r.Level < slog.LevelWarn || key == "" || h.known.first(key, r, h.Handler) {
		return h.Handler.Handle(ctx, r)
	}
	return nil
}

// WithAttrs returns a handler whose records are apart from those with other
// attributes.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var scope strings.Builder
	for _, a := range attrs {
		scope.WriteString(a.String() + "\n")
	}
	return &Handler{h.Handler.WithAttrs(attrs), h.known, h.scope + scope.String()}
}

// WithGroup returns a handler whose records are apart from those of other groups.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.Handler.WithGroup(name), h.known, h.scope + name + "."}
}

// split returns a record without its key, and the key: empty when it is no repeat
// of anything. A record without one is known by all of it but what only says
// which time it was.
func (h *Handler) split(r slog.Record) (slog.Record, string) {
	bare := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	var text strings.Builder
	given := ""
	keyed := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case keyName:
			given, keyed = a.Value.String(), true
			return true
		case "elapsed", "delay", "delivery", "segment", "attempt", "queue_depth":
		default:
			text.WriteString("\n" + a.String())
		}
		bare.AddAttrs(a)
		return true
	})
	switch {
	case keyed && given == "":
		return bare, ""
	case keyed:
		return bare, h.scope + r.Level.String() + r.Message + given
	}
	return bare, h.scope + r.Level.String() + r.Message + text.String()
}

// known are the records logged lately. Safe for concurrent use.
type known struct {
	mu      sync.Mutex
	records map[string]*record
}

// record is one that was logged, and how often it came since.
type record struct {
	last  slog.Record
	count int
	pause time.Duration
}

// first reports whether a record is to be logged, and else counts it.
func (k *known) first(key string, r slog.Record, to slog.Handler) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.records[key]; known != nil {
		known.last = r
		known.count++
		return false
	}
	if len(k.records) < maxKnown {
		k.records[key] = &record{pause: First}
		time.AfterFunc(First, func() { k.summarise(key, to) })
	}
	return true
}

// summarise logs how often a record was repeated, or forgets it when it was not.
func (k *known) summarise(key string, to slog.Handler) {
	k.mu.Lock()
	known := k.records[key]
	last, count := known.last, known.count
	if count == 0 {
		delete(k.records, key)
	} else {
		known.count, known.pause = 0, min(2*known.pause, Last)
		time.AfterFunc(known.pause, func() { k.summarise(key, to) })
	}
	k.mu.Unlock()
	if count > 0 {
		last.AddAttrs(slog.Int("repeated", count))
		_ = to.Handle(context.Background(), last)
	}
}
