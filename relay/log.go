package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/term"
)

// newLogger logs text to a terminal, JSON elsewhere, and JSON with the priority
// of each record in front under systemd, whose journal files it by that.
func newLogger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: logLevel()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	if os.Getenv("JOURNAL_STREAM") == "" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	j := &journal{w: w}
	return slog.New(&journalHandler{slog.NewJSONHandler(j, options), j})
}

// logLevel is RELAY_LOG (debug, info, warn or error), else info.
func logLevel() slog.Level {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(os.Getenv("RELAY_LOG"))); err != nil {
		return slog.LevelInfo
	}
	return level
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
