package render

import "time"

// Step is what one tag became.
type Step struct {
	Key   string // the template it stands in, as in [Problem]
	Tag   string // as written, #name|filter#
	Value Value  // of the event
	Text  string // after mappings and filters, before it was escaped for its place
}

// Trace renders like [Template.Render] and returns what each tag became, in order.
// With an error, the steps lead up to the tag that failed.
func (t *Template) Trace(v Values, now time.Time) (Request, []Step, error) {
	var steps []Step
	req, err := t.render(&run{values: v, now: now, mappings: t.mappings, reject: t.reject, steps: &steps})
	return req, steps, err
}
