package call

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxShown bounds what an error repeats of the event's own text, in bytes.
const maxShown = 100

// Error says why an event is refused.
type Error struct {
	Field    string // the member, as in segments[1].queue; empty when it is the event as a whole
	Problem  string
	TooLarge bool // a limit on the size is exceeded
}

// Error returns the place and the problem.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// refuse makes the error for one member.
func refuse(field, format string, args ...any) *Error {
	return &Error{Field: shorten(field), Problem: fmt.Sprintf(format, args...)}
}

// tooLarge makes the error for an event that exceeds a limit.
func tooLarge(format string, args ...any) *Error {
	return &Error{Problem: fmt.Sprintf(format, args...), TooLarge: true}
}

// syntaxError turns what the JSON decoder says into an [Error] that names the
// place in words of the event.
func syntaxError(err error) *Error {
	serr, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		if errors.Is(err, io.EOF) {
			return &Error{Problem: "empty: want a JSON object"}
		}
		return &Error{Problem: err.Error()}
	}
	field := fieldOf(serr.JSONPointer)
	if errors.Is(serr.Err, jsontext.ErrDuplicateName) {
		return refuse(field, "given twice")
	}
	return refuse(field, "not valid JSON: %v at byte %d", serr.Err, serr.ByteOffset+1)
}

// fieldOf writes a JSON pointer the way events are written about:
// /segments/1/agent_id is segments[1].agent_id.
func fieldOf(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if n, err := strconv.Atoi(token); err == nil && b.Len() > 0 {
			fmt.Fprintf(&b, "[%d]", n)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}

// shorten cuts text that an error repeats to a bearable length.
func shorten(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "..."
}

// place names a member of segment i, counted from 0.
func place(i int, name string) string {
	if name == "" {
		return fmt.Sprintf("segments[%d]", i)
	}
	return fmt.Sprintf("segments[%d].%s", i, name)
}
