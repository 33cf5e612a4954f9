package call

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"callrelay/render"
)

// MaxName is the longest name of an event, in bytes.
const MaxName = 64

// MaxID is the longest id of an event, in bytes.
const MaxID = 128

// checked is an event whose members keep the rules, before it has its id.
type checked struct {
	event Event
	given string // the id it came with
	edits []edit
}

// edit is a value that is written in another form into what is kept.
type edit struct {
	at  int // index of the member
	raw string
}

// A checker holds the members of one event against the rules.
type checker struct {
	checked
	o      Options
	prefix string // of the field in an error: "segments[1]."

	recording, link [2]bool // given, of the call or segment and of the agent's perspective
	start, end      float64
}

// check goes through the members once and returns what they say, or the first
// rule that they break.
func check(members []member, o Options, prefix string) (checked, *Error) {
	c := checker{o: o, prefix: prefix, start: -1, end: -1}
	c.event.members = members
	for i, m := range members {
		if err := c.member(i, m); err != nil {
			return checked{}, err
		}
	}
	return c.checked, c.whole()
}

// member checks one member by itself and against those before it.
func (c *checker) member(i int, m member) *Error {
	t := byName[m.name]
	switch {
	case t == nil:
		return nil
	case t.Reserved && !c.o.Internal:
		return c.refuse(m.name, "reserved: only the relay gives it")
	case t.check == nil:
		return nil
	}
	return t.check(c, i, m)
}

// whole checks what only shows once all members were seen.
func (c *checker) whole() *Error {
	switch {
	case c.event.Name == "":
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

func (c *checker) name(_ int, m member) *Error {
	v := m.value()
	switch {
	case v.Kind != render.String:
		return c.refuse(m.name, "want a string")
	case !validName(v.Text):
		return c.refuse(m.name, "%q is not an event name: 1 to %d of a-z 0-9 _", shorten(v.Text), MaxName)
	case Operational(v.Text) && !c.o.Internal:
		return c.refuse(m.name, "%q is reserved: only the relay raises it", v.Text)
	}
	c.event.Name = v.Text
	return nil
}

func (c *checker) id(_ int, m member) *Error {
	if err := c.text(m, &c.given); err != nil {
		return err
	}
	switch {
	case len(c.given) > MaxID:
		return c.refuse(m.name, "%d bytes long: at most %d", len(c.given), MaxID)
	case hasControl(c.given):
		return c.refuse(m.name, "has a control character")
	}
	return nil
}

func (c *checker) scope(_ int, m member) *Error {
	if m.raw == "null" {
		return nil
	}
	if c.event.ScopeKind != "" {
		return c.refuse(m.name, "a second scope beside %s", c.event.ScopeKind)
	}
	c.event.ScopeKind = m.name
	return c.text(m, &c.event.Scope)
}

func (c *checker) call(_ int, m member) *Error { return c.text(m, &c.event.Call) }

func (c *checker) segment(_ int, m member) *Error { return c.text(m, &c.event.Segment) }

func (c *checker) segments(_ int, m member) *Error {
	return c.refuse(m.name, "a segment has no segments")
}

func (c *checker) moment(i int, m member) *Error {
	c.edit(i, m, zoned(m.raw, c.o.Zone))
	return nil
}

// recordingPath and recordingLink check those of the call or segment (0), or of
// the agent's perspective (1).
func recordingPath(which int) rule {
	return func(c *checker, i int, m member) *Error { return c.path(i, m, &c.recording[which]) }
}

func recordingLink(which int) rule {
	return func(c *checker, _ int, m member) *Error { return c.url(m, &c.link[which]) }
}

func (c *checker) sliceStart(_ int, m member) *Error { return c.seconds(m, &c.start) }

func (c *checker) sliceEnd(_ int, m member) *Error { return c.seconds(m, &c.end) }

func (c *checker) text(m member, into *string) *Error {
	text, ok := m.text()
	if !ok {
		return c.refuse(m.name, "want a string or a number")
	}
	*into = text
	return nil
}

func (c *checker) path(i int, m member, given *bool) *Error {
	v := m.value()
	switch {
	case v.Kind != render.String && v.Kind != render.Null:
		return c.refuse(m.name, "want a string")
	case v.Text == "":
		return nil // there is none
	}
	rel, problem := relative(v.Text, c.o.RecordingsDir)
	if problem != "" {
		return c.refuse(m.name, "%s", problem)
	}
	*given = true
	if rel != v.Text {
		c.edit(i, m, quote(rel))
	}
	return nil
}

func (c *checker) url(m member, given *bool) *Error {
	v := m.value()
	if v.Kind != render.String && v.Kind != render.Null {
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

func (c *checker) edit(i int, m member, raw string) {
	if raw != m.raw {
		c.edits = append(c.edits, edit{at: i, raw: raw})
	}
}

func (c *checker) refuse(name, format string, args ...any) *Error {
	return refuse(c.prefix+name, format, args...)
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

// relative returns the path below the recordings folder of a path as it came,
// or what is wrong with it.
func relative(text, dir string) (rel, problem string) {
	clean := path.Clean(text)
	switch {
	case hasControl(text):
		return "", "has a control character"
	case hasDotDot(text):
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

// hasDotDot reports whether .. is an element of a path.
func hasDotDot(text string) bool {
	for element := range strings.SplitSeq(text, "/") {
		if element == ".." {
			return true
		}
	}
	return false
}
