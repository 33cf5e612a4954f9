package exchange

import (
	"net/http"
	"slices"
	"strings"
)

// Headers are the fields of a request or an answer in the order in which they
// are sent. The zero value has none.
type Headers []Field

// Field is one header field.
type Field struct{ Name, Value string }

// Get returns the first value of a field, whatever the case of its name, or "".
func (h *Headers) Get(name string) string {
	if i := h.index(name); i >= 0 {
		return (*h)[i].Value
	}
	return ""
}

// Set gives a field one value, in the place of an earlier one of its name.
func (h *Headers) Set(name, value string) {
	if i := h.index(name); i >= 0 {
		(*h)[i] = Field{name, value}
		return
	}
	*h = append(*h, Field{name, value})
}

// Keys returns the names of the fields.
func (h *Headers) Keys() []string {
	names := make([]string, len(*h))
	for i, f := range *h {
		names[i] = f.Name
	}
	return names
}

func (h *Headers) index(name string) int {
	return slices.IndexFunc(*h, func(f Field) bool { return strings.EqualFold(f.Name, name) })
}

// standard returns the fields as net/http keeps them.
func (h *Headers) standard() http.Header {
	s := make(http.Header, len(*h))
	for _, f := range *h {
		s[f.Name] = append(s[f.Name], f.Value)
	}
	return s
}

// headersOf is the reverse of standard, in the order of names.
func headersOf(s http.Header) Headers {
	h := make(Headers, 0, len(s))
	for name, values := range s {
		for _, value := range values {
			h = append(h, Field{name, value})
		}
	}
	slices.SortStableFunc(h, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return h
}
