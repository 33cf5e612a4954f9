package render

import "time"

// tag is a tag of a compiled template.
type tag struct {
	name     string
	source   string // as written
	key      string // of the template it stands in
	steps    []transform
	typed    bool // the last step makes it JSON text: number, json or bool
	fallback bool // it has a default for what the event lacks
	omits    bool // its place is left out when the event lacks it
	signs    bool // it stands for the request's body
	encoded  bool // it stands for a file in base64
}

// run is the state of rendering one event.
type run struct {
	values   Values
	now      time.Time
	mappings map[string]string
	reject   bool
	steps    *[]Step  // nil unless traced
	mask     []string // collects [Request.Mask]
	body     []byte   // of the request, where a tag needs it
	files    []File   // collects [Request.Files]
	random   string   // the boundary, once there is one
	encoded  string   // the tag of a file in base64 that was met; empty: none was
	omitted  bool     // something is marked to be left out
}

// value looks the tag up and applies mappings and filters.
func (t *tag) value(r *run) (Value, error) {
	raw := r.values(t.name)
	if t.signs {
		raw = Value{String, string(r.body)}
	}
	if t.omits && raw.missing() && !t.fallback {
		r.omitted = true
		return Value{}, errOmitted
	}
	if raw.Kind == Absent && t.name == "now" {
		raw = Value{String, r.now.Format(time.RFC3339Nano)}
	}
	if r.reject && raw.missing() && !t.fallback {
		return Value{}, &Error{Key: t.key, Tag: t.source, Text: "the event lacks it"}
	}
	v := raw
	if to, ok := r.mappings[v.Text]; ok && !v.missing() {
		v = Value{String, to}
	}
	if t.encoded && !v.missing() {
		v = r.encode(t)
	}
	for _, step := range t.steps {
		var err error
		if v, err = step(v); err != nil {
			return Value{}, t.fail(err)
		}
	}
	if r.steps != nil {
		step := Step{Key: t.key, Tag: t.source, Value: raw, Text: v.text()}
		if t.encoded {
			step.Text = raw.text()
		}
		*r.steps = append(*r.steps, step)
	}
	return v, nil
}

func (t *tag) fail(err error) error {
	return &Error{Key: t.key, Tag: t.source, Text: err.Error()}
}
