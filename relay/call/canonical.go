package call

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// appendCanonicalObject appends an object in canonical form: names sorted by
// their bytes, no white space, strings with no more escapes than needed,
// numbers with the digits they came with. The member except is left out.
func appendCanonicalObject(dst []byte, members []member, except string) []byte {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b member) int { return strings.Compare(a.name, b.name) })
	dst = append(dst, '{')
	comma := false
	for _, m := range sorted {
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

// appendObject appends an object as compact JSON, its members as they are.
func appendObject(dst []byte, members []member) []byte {
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuote(dst, m.name), ':')
		if m.raw[0] == '{' || m.raw[0] == '[' {
			dst = append(dst, compact(m.raw)...)
			continue
		}
		dst = append(dst, m.raw...)
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
