package call

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"callrelay/render"
)

// Member is one named value of an object.
type Member struct {
	Name  string
	Value render.Value
}

// member is a member as it was written: name is unescaped, raw is not.
type member struct {
	name string
	raw  string
}

// value is what the member stands for.
func (m member) value() render.Value {
	switch m.raw[0] {
	case '"':
		return render.Value{Kind: render.String, Text: unquote(m.raw)}
	case '{', '[':
		return render.Value{Kind: render.JSON, Text: m.raw}
	case 't', 'f':
		return render.Value{Kind: render.Bool, Text: m.raw}
	case 'n':
		return render.Value{Kind: render.Null}
	default:
		return render.Value{Kind: render.Number, Text: m.raw}
	}
}

// text returns a string or a number as text. Null is the empty text; any other
// value is not ok.
func (m member) text() (text string, ok bool) {
	v := m.value()
	return v.Text, v.Kind == render.String || v.Kind == render.Number || v.Kind == render.Null
}

// unquote returns the text of a valid JSON string. It allocates only when the
// string has escapes.
func unquote(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return raw[1 : len(raw)-1] // not reached: the decoder has accepted it
	}
	return string(text)
}

// quote returns text as a JSON string. Text must be valid UTF-8.
func quote(text string) string {
	return string(appendQuote(nil, text))
}

// appendQuote appends text as a JSON string with no more escapes than needed.
func appendQuote(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			dst, _ = jsontext.AppendQuote(dst, text) // an error means invalid UTF-8, which is replaced
			return dst
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
