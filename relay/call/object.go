package call

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep objects and arrays may nest; the event itself is the first level.
const maxDepth = 32

// MaxSegments is how many segments one event may have.
const MaxSegments = 256

// object is an event as it was written.
type object struct {
	members  []member
	segments [][]member
}

// reader reads JSON objects into members. Values are substrings of one copy of
// the input, so an event costs few allocations.
type reader struct {
	dec  *jsontext.Decoder
	buf  bytes.Buffer
	src  string
	list []member // scratch for one object
}

var readers = sync.Pool{New: func() any {
	return &reader{dec: jsontext.NewDecoder(new(bytes.Buffer)), list: make([]member, 0, 64)}
}}

// readEvent reads one event, refusing whatever is not exactly one JSON object
// with unique names and valid UTF-8.
func readEvent(data []byte) (object, error) {
	src := string(data)
	if members, ok := scanFlat(src); ok {
		return object{members: members}, nil
	}
	return readStrict(data, src)
}

// readStrict reads any event and finds the place of any fault.
func readStrict(data []byte, src string) (object, error) {
	r := readers.Get().(*reader)
	defer r.release()

	r.reset(data, src)
	o, err := r.event()
	if err != nil {
		return object{}, err
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return object{}, &Error{Problem: "more text after the event"}
	}
	return o, nil
}

// readMembers returns the members of a JSON object that has been accepted
// before; anything else has none.
func readMembers(raw string) []member {
	r := readers.Get().(*reader)
	defer r.release()

	r.reset([]byte(raw), raw)
	if r.dec.PeekKind() != '{' {
		return nil
	}
	members, err := r.object(nil)
	if err != nil {
		return nil
	}
	return members
}

// readElements returns the elements of a JSON array that has been accepted before.
func readElements(raw string) []string {
	r := readers.Get().(*reader)
	defer r.release()

	r.reset([]byte(raw), raw)
	if _, err := r.dec.ReadToken(); err != nil {
		return nil
	}
	var elements []string
	for r.dec.PeekKind() != ']' {
		raw, err := r.value()
		if err != nil {
			return nil
		}
		elements = append(elements, raw)
	}
	return elements
}

func (r *reader) reset(data []byte, src string) {
	r.src = src
	r.buf = *bytes.NewBuffer(data) // the decoder reads a bytes.Buffer in place
	r.dec.Reset(&r.buf)
}

// release gives the reader back without keeping the event alive.
func (r *reader) release() {
	r.src = ""
	r.buf = bytes.Buffer{}
	clear(r.list)
	r.list = r.list[:0]
	readers.Put(r)
}

// event reads the outer object and takes its segments apart.
func (r *reader) event() (object, error) {
	if kind := r.dec.PeekKind(); kind != '{' && kind != 0 {
		return object{}, &Error{Problem: "not an event: want a JSON object"}
	}
	var o object
	members, err := r.object(func() (err error) {
		o.segments, err = r.segments()
		return err
	})
	o.members = members
	return o, err
}

// object reads one object. The member segments is left to onSegments unless
// that is nil.
func (r *reader) object(onSegments func() error) ([]member, error) {
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, syntaxError(err)
	}
	first := len(r.list)
	for r.dec.PeekKind() != '}' {
		name, err := r.value()
		if err != nil {
			return nil, err
		}
		m := member{name: unquote(name)}
		if m.name == "segments" && onSegments != nil {
			if err := onSegments(); err != nil {
				return nil, err
			}
			continue
		}
		if m.raw, err = r.value(); err != nil {
			return nil, err
		}
		r.list = append(r.list, m)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, syntaxError(err)
	}
	members := slices.Clone(r.list[first:])
	clear(r.list[first:])
	r.list = r.list[:first]
	return members, nil
}

// segments reads the array of segments. Null counts as none.
func (r *reader) segments() ([][]member, error) {
	kind := r.dec.PeekKind()
	if kind == 'n' {
		_, err := r.value()
		return nil, err
	}
	if kind != '[' && kind != 0 {
		return nil, refuse("segments", "want an array of objects")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, syntaxError(err)
	}
	var list [][]member
	for {
		switch kind := r.dec.PeekKind(); {
		case kind == ']':
			_, err := r.dec.ReadToken()
			return list, err
		case kind != '{' && kind != 0:
			return nil, refuse(place(len(list), ""), "want an object")
		case len(list) == MaxSegments:
			return nil, tooLarge("more than %d segments", MaxSegments)
		}
		members, err := r.object(nil)
		if err != nil {
			return nil, err
		}
		list = append(list, members)
	}
}

// value reads one whole value or a member's name.
func (r *reader) value() (string, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return "", syntaxError(err)
	}
	end := int(r.dec.InputOffset())
	raw := r.src[end-len(v) : end]
	if (raw[0] == '{' || raw[0] == '[') && r.dec.StackDepth()+depth(raw) > maxDepth {
		return "", refuse(fieldOf(r.dec.StackPointer()), "nested deeper than %d", maxDepth)
	}
	return raw, nil
}

// depth counts how deep a valid JSON value nests.
func depth(raw string) int {
	level, deepest := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			level++
			deepest = max(deepest, level)
		case '}', ']':
			level--
		case '"':
			i = stringEnd(raw, i)
		}
	}
	return deepest
}

// stringEnd returns the index of the quote that ends the JSON string begun at i.
func stringEnd(raw string, i int) int {
	for i++; ; i++ {
		n := strings.IndexAny(raw[i:], `"\`)
		i += n
		if raw[i] == '"' {
			return i
		}
		i++ // skip what is escaped
	}
}
