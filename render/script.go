package render

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// scriptTag is the tag whose object all_script_data adds.
const scriptTag = "script"

// member is one member of the event's script object.
type member struct {
	name string
	raw  jsontext.Value
}

// text is the value as a form carries it: strings without their quotes, null as
// nothing, the rest as JSON.
func (m member) text() string {
	switch m.raw.Kind() {
	case 'n':
		return ""
	case '"':
		text, _ := jsontext.AppendUnquote(nil, m.raw) // it was read as a JSON string
		return string(text)
	default:
		return string(m.raw)
	}
}

// script reads the members of the event's script object, in order; none when
// the event has no such object.
func (r *run) script() ([]member, error) {
	v := r.values(scriptTag)
	if v.Kind != JSON || !strings.HasPrefix(v.Text, "{") {
		return nil, nil
	}
	d := jsontext.NewDecoder(strings.NewReader(v.Text))
	if _, err := d.ReadToken(); err != nil {
		return nil, scriptError(err)
	}
	var members []member
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, scriptError(err)
		}
		m := member{name: name.String()}
		raw, err := d.ReadValue()
		if err != nil {
			return nil, scriptError(err)
		}
		m.raw = raw.Clone()
		members = append(members, m)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, scriptError(err)
	}
	return members, nil
}

func scriptError(err error) error {
	return &Error{Key: "all_script_data", Tag: "#" + scriptTag + "#", Text: fmt.Sprintf("not a JSON object: %v", err)}
}
