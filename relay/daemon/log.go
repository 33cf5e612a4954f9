package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"callrelay/relay/printable"
	"callrelay/relay/repeat"
)

// NewLogger logs text to a terminal, JSON elsewhere, and JSON with the priority
// of each record in front to the journal, which files it by that. A warning that
// is repeated is logged once, and then as a number.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(repeat.NewHandler(newHandler(w)))
}

func newHandler(w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: logLevel(), ReplaceAttr: readable}
	f, isFile := w.(*os.File)
	w = &printable.Writer{To: w}
	switch {
	case isFile && term.IsTerminal(int(f.Fd())):
		return slog.NewTextHandler(w, options)
	case isFile && isJournal(f, os.Getenv("JOURNAL_STREAM")):
		j := &journal{w: w}
		return &journalHandler{slog.NewJSONHandler(j, options), j}
	}
	return slog.NewJSONHandler(w, options)
}

// logLevel is RELAY_LOG (debug, info, warn or error), else info.
func logLevel() slog.Level {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(os.Getenv("RELAY_LOG"))); err != nil {
		return slog.LevelInfo
	}
	return level
}

// readable writes durations as 1.5s, which JSON would have in nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// isJournal reports whether a file is the one that the service manager connected
// to the journal, whose device and inode it names. A relay that was started
// by another service, or whose output goes to a file, inherits no more than the
// variable.
func isJournal(f *os.File, stream string) bool {
	var stat unix.Stat_t
	if stream == "" || unix.Fstat(int(f.Fd()), &stat) != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// journal writes each record with the priority that was set for it.
type journal struct {
	mu       sync.Mutex // held from setting the priority to the end of the write
	priority byte
	w        io.Writer
	line     bytes.Buffer
}

func (j *journal) Write(record []byte) (int, error) {
	j.line.Reset()
	j.line.Write([]byte{'<', j.priority, '>'})
	j.line.Write(record)
	_, err := j.w.Write(j.line.Bytes())
	return len(record), err
}

// journalHandler sets the priority of each record before it is written.
type journalHandler struct {
	slog.Handler
	journal *journal
}

func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.journal.mu.Lock()
	defer h.journal.mu.Unlock()
	h.journal.priority = priority(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journalHandler{h.Handler.WithAttrs(attrs), h.journal}
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{h.Handler.WithGroup(name), h.journal}
}

// priority is the syslog priority of a level.
func priority(level slog.Level) byte {
	switch {
	case level >= slog.LevelError:
		return '3'
	case level >= slog.LevelWarn:
		return '4'
	case level >= slog.LevelInfo:
		return '6'
	default:
		return '7'
	}
}
