package render

// Kind says what a [Value] was in the event.
type Kind uint8

// The kinds of a value.
const (
	Absent Kind = iota // the event has no such member
	String
	Number
	Bool
	Null
	JSON // an object or array
)

// Value is what a tag stands for. The zero Value is absent.
type Value struct {
	Kind Kind
	Text string // the string itself, the digits of a number, true or false, or raw JSON
}

// Values looks up a tag. It returns the zero Value for a tag that the event lacks.
type Values func(tag string) Value

// missing reports whether the event lacks the value: it is absent or null.
func (v Value) missing() bool { return v.Kind == Absent || v.Kind == Null }

// text is the value as text; empty when it is missing.
func (v Value) text() string {
	if v.missing() {
		return ""
	}
	return v.Text
}
