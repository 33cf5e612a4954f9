// Package printable keeps text from outside from commanding a terminal.
//
// Whatever the relay prints or logs goes through one of its two: [Text] for a
// piece of text, [Writer] for all that a command or a log writes. What a terminal
// would act on is then seen instead: control characters, C1 and DEL among them,
// and what turns the direction of text or hides in it. In JSON it means the same
// as before.
package printable

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text escapes, as Go does, what cannot be printed. Of the control characters
// only those in keep stay.
func Text(text, keep string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) || strings.ContainsRune(keep, r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// Writer passes on text with what is not graphic escaped as JSON does, but for
// tabs and line ends, those of CR and LF too. Safe for concurrent use.
type Writer struct {
	To io.Writer

	// Keep are control sequences of the relay's own making that stay as they are.
	Keep []string

	mu   sync.Mutex
	rest []byte // of a character that has not come whole
}

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.rest, p...)
	if harmless(text) {
		w.rest = nil
		_, err := w.To.Write(text)
		return len(p), err
	}
	out := make([]byte, 0, len(text)+16)
	for len(text) > 0 && utf8.FullRune(text) {
		if own := w.own(text); own > 0 {
			out, text = append(out, text[:own]...), text[own:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		out, text = appendRune(out, r), text[n:]
	}
	w.rest = append([]byte(nil), text...)
	_, err := w.To.Write(out)
	return len(p), err
}

// own is the length of the sequence that text begins with and that stays as it is.
func (w *Writer) own(text []byte) int {
	if bytes.HasPrefix(text, []byte("\r\n")) {
		return 2
	}
	for _, s := range w.Keep {
		if len(text) >= len(s) && string(text[:len(s)]) == s {
			return len(s)
		}
	}
	return 0
}

// harmless reports whether text is ASCII that needs no escape, as most is.
func harmless(text []byte) bool {
	for _, c := range text {
		if (c < ' ' && c != '\n' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

func appendRune(dst []byte, r rune) []byte {
	switch {
	case unicode.IsGraphic(r) || r == '\n' || r == '\t':
		return utf8.AppendRune(dst, r)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendUnit(appendUnit(dst, high), low)
	}
	return appendUnit(dst, r)
}

func appendUnit(dst []byte, r rune) []byte {
	hex := strconv.FormatInt(int64(r), 16)
	return append(append(dst, `\u0000`[:6-len(hex)]...), hex...)
}
