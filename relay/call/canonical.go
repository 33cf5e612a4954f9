package call

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// appendCanonicalObject appends an object in canonical form: names sorted by
// their bytes, no white space, strings with no more escapes than needed,
// numbers with the digits they came with. The member except is left out.
func appendCanonicalObject(dst []byte, members []member, except string) []byte {
	var few [maxFlat]ranked // spares the usual event an allocation
	dst = append(dst, '{')
	comma := false
	for _, r := range rank(few[:0], members) {
		m := members[r.at]
		if m.name == except {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(appendQuote(dst, m.name), ':')
		dst = appendCanonical(dst, m.raw)
	}
	return append(dst, '}')
}

// ranked is the place of a member, with the first bytes of its name, which
// settle most comparisons.
type ranked struct {
	prefix uint64
	at     int
}

// rank appends the places of the members in the order of their names.
func rank(dst []ranked, members []member) []ranked {
	for i, m := range members {
		var first [8]byte
		copy(first[:], m.name)
		dst = append(dst, ranked{prefix: binary.BigEndian.Uint64(first[:]), at: i})
	}
	slices.SortFunc(dst, func(a, b ranked) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return strings.Compare(members[a.at].name, members[b.at].name)
	})
	return dst
}

// appendCanonical appends any valid value in canonical form.
func appendCanonical(dst []byte, raw string) []byte {
	switch raw[0] {
	case '{':
		return appendCanonicalObject(dst, readMembers(raw), "")
	case '[':
		dst = append(dst, '[')
		for i, element := range readElements(raw) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendCanonical(dst, element)
		}
		return append(dst, ']')
	case '"':
		if strings.IndexByte(raw, '\\') >= 0 {
			return appendQuote(dst, unquote(raw))
		}
	}
	return append(dst, raw...)
}

// appendBody appends an event as compact JSON, its members as they came. The id
// stands in the place of the member id, or else first.
func appendBody(dst []byte, members []member, id string) []byte {
	dst = append(dst, '{')
	if _, ok := find(members, "id"); !ok {
		dst = appendQuote(append(dst, `"id":`...), id)
	}
	for _, m := range members {
		if len(dst) > len("{") {
			dst = append(dst, ',')
		}
		dst = append(appendQuote(dst, m.name), ':')
		switch {
		case m.name == "id":
			dst = appendQuote(dst, id)
		case m.raw[0] == '{' || m.raw[0] == '[':
			dst = append(dst, compact(m.raw)...)
		default:
			dst = append(dst, m.raw...)
		}
	}
	return append(dst, '}')
}

// compact drops the white space of an object or array.
func compact(raw string) []byte {
	v := jsontext.Value(raw)
	_ = v.Compact() // it was accepted before; on an error it stays as it came
	return v
}

// sizeOf returns the bytes that the members need as an object, near enough.
func sizeOf(members []member) int {
	size := len("{}")
	for _, m := range members {
		size += len(m.name) + len(m.raw) + len(`"":,`)
	}
	return size
}
