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
	steps    *[]Step // nil unless traced
	seldom   *seldom // nil until needed
	reject   bool
	omitted  bool // something is marked to be left out
}

// seldom is the part of a run's state that few templates need. It stands apart
// because each delivery allocates a run.
type seldom struct {
	mask    []string // collects [Request.Mask]
	files   []File   // collects [Request.Files]
	body    []byte   // of the request, for a tag outside it
	random  string   // the boundary, once there is one
	encoded string   // the tag of a file in base64 that was met; empty: none was
}

// more returns the state that few templates need.
func (r *run) more() *seldom {
	if r.seldom == nil {
		r.seldom = &seldom{}
	}
	return r.seldom
}

// value looks the tag up and applies mappings and filters.
func (t *tag) value(r *run) (Value, error) {
	raw := r.values(t.name)
	if t.signs {
		raw = Value{String, string(r.more().body)}
	}
	if raw.Kind == Absent && t.name == "now" {
		raw = Value{String, r.now.Format(time.RFC3339Nano)}
	}
	if t.omits && raw.missing() && !t.fallback {
		r.omitted = true
		return Value{}, errOmitted
	}
	if r.reject && raw.missing() && !t.fallback {
		return Value{}, &Error{Key: t.key, Tag: t.source, Text: "the event lacks it"}
	}
	v := raw
	if r.mappings != nil && !v.missing() {
		if to, ok := r.mappings[v.Text]; ok {
			v = Value{String, to}
		}
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
