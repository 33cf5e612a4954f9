package call

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name of an event, in bytes.
const MaxName = 64

// MaxID is the longest id of an event, in bytes.
const MaxID = 128

// A checker holds the members of one event against the rules.
type checker struct {
	o      Options
	prefix string // of the field in an error: "segments[1]."

	name, scopeKind string
	recording, link [2]bool // of the call or segment; of the agent's perspective
	start, end      float64
}

// check returns the first rule that the members break.
func check(members []member, o Options, prefix string) *Error {
	c := checker{o: o, prefix: prefix, start: -1, end: -1}
	for _, m := range members {
		if err := c.member(m); err != nil {
			return err
		}
	}
	return c.whole()
}

// member checks one member by itself and against those before it.
func (c *checker) member(m member) *Error {
	switch m.name {
	case "event":
		return c.event(m)
	case "id":
		return c.id(m)
	case "uii", "segment_id":
		return c.scalar(m)
	case "queue", "campaign", "route", "number", "ivr", "chat_queue", "account":
		return c.scope(m)
	case "segments":
		return c.refuse(m.name, "a segment has no segments")
	case "recording":
		return c.path(m, &c.recording[0])
	case "agent_perspective_recording":
		return c.path(m, &c.recording[1])
	case "recording_url":
		return c.url(m, &c.link[0])
	case "sess_agent_perspective_recording_url":
		return c.url(m, &c.link[1])
	case "recording_start":
		return c.seconds(m, &c.start)
	case "recording_end":
		return c.seconds(m, &c.end)
	}
	if !c.o.Internal && reserved(m.name) {
		return c.refuse(m.name, "reserved: only the relay gives it")
	}
	return nil
}

// whole checks what only shows once all members were seen.
func (c *checker) whole() *Error {
	switch {
	case c.name == "":
		return c.refuse("event", "required")
	case c.recording[0] && c.link[0] && !c.o.Internal:
		return c.refuse("recording_url", "given beside recording, from which the relay makes it")
	case c.recording[1] && c.link[1] && !c.o.Internal:
		return c.refuse("sess_agent_perspective_recording_url", "given beside agent_perspective_recording, from which the relay makes it")
	case c.end >= 0 && c.end <= max(c.start, 0):
		return c.refuse("recording_end", "not after recording_start")
	}
	return nil
}

func (c *checker) event(m member) *Error {
	v := m.value()
	switch {
	case v.Kind != String:
		return c.refuse(m.name, "want a string")
	case !validName(v.Text):
		return c.refuse(m.name, "%q is not an event name: 1 to %d of a-z 0-9 _", shorten(v.Text), MaxName)
	case strings.HasPrefix(v.Text, "relay_") && v.Text != "relay_test" && !c.o.Internal:
		return c.refuse(m.name, "%q is reserved: only the relay raises it", v.Text)
	}
	c.name = v.Text
	return nil
}

func (c *checker) id(m member) *Error {
	id, ok := m.text()
	switch {
	case !ok:
		return c.refuse(m.name, "want a string or a number")
	case len(id) > MaxID:
		return c.refuse(m.name, "%d bytes long: at most %d", len(id), MaxID)
	case hasControl(id):
		return c.refuse(m.name, "has a control character")
	}
	return nil
}

func (c *checker) scope(m member) *Error {
	if m.raw == "null" {
		return nil
	}
	if c.scopeKind != "" {
		return c.refuse(m.name, "a second scope beside %s", c.scopeKind)
	}
	c.scopeKind = m.name
	return c.scalar(m)
}

func (c *checker) scalar(m member) *Error {
	if _, ok := m.text(); !ok {
		return c.refuse(m.name, "want a string or a number")
	}
	return nil
}

func (c *checker) path(m member, given *bool) *Error {
	if m.raw == "null" {
		return nil
	}
	v := m.value()
	if v.Kind != String {
		return c.refuse(m.name, "want a string")
	}
	*given = v.Text != ""
	if _, problem := relative(v.Text, c.o.RecordingsDir); problem != "" {
		return c.refuse(m.name, "%s", problem)
	}
	return nil
}

func (c *checker) url(m member, given *bool) *Error {
	v := m.value()
	if v.Kind != String && v.Kind != Null {
		return c.refuse(m.name, "want a string")
	}
	*given = v.Text != ""
	return nil
}

func (c *checker) seconds(m member, into *float64) *Error {
	s, ok := seconds(m)
	if !ok && m.raw != "null" {
		return c.refuse(m.name, "want seconds: a number, 0 or more")
	}
	if ok {
		*into = s
	}
	return nil
}

func (c *checker) refuse(name, format string, args ...any) *Error {
	return refuse(c.prefix+name, format, args...)
}

// relative returns the path below the recordings folder of a path as it came.
func relative(text, dir string) (rel, problem string) {
	clean := path.Clean(text)
	switch {
	case text == "":
		return "", ""
	case hasControl(text):
		return "", "has a control character"
	case hasElement(text, ".."):
		return "", "has .. in its path"
	case path.IsAbs(text) && dir == "":
		return "", "an absolute path, and there is no recordings.dir"
	case path.IsAbs(text):
		below, ok := strings.CutPrefix(clean, strings.TrimSuffix(dir, "/")+"/")
		if !ok {
			return "", "not below recordings.dir"
		}
		return below, ""
	case clean == "." || strings.HasSuffix(text, "/"):
		return "", "names no file"
	}
	return clean, ""
}

// hasElement reports whether a path has an element.
func hasElement(text, element string) bool {
	for part := range strings.SplitSeq(text, "/") {
		if part == element {
			return true
		}
	}
	return false
}

// seconds reads a number of seconds, which may come as a string.
func seconds(m member) (float64, bool) {
	text, ok := m.text()
	if !ok {
		return 0, false
	}
	s, err := strconv.ParseFloat(text, 64)
	return s, err == nil && s >= 0 && s < 1e9
}

// reserved reports whether only the relay may give a member.
func reserved(name string) bool {
	switch name {
	case "event_id", "attempt", "now", "scope", "recording_state", "recording_bytes",
		"recording_seconds", "recording_channels", "recording_sha256":
		return true
	}
	return false
}

func validName(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// hasControl reports whether text has a control character, which could break a header.
func hasControl(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == 0x7f {
			return true
		} else if c >= utf8.RuneSelf {
			return strings.ContainsFunc(text[i:], unicode.IsControl)
		}
	}
	return false
}
