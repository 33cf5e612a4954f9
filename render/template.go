package render

import (
	"cmp"
	"slices"
	"time"
)

// Template is a compiled [Spec]. It is immutable and safe for concurrent use.
type Template struct {
	method      string
	url         *address
	headers     []header
	contentType sequence
	parted      bool     // the boundary follows contentType
	file        string   // the tag of the file that the body is, and whose type it has; empty: it is none, or the type is given
	soapAction  sequence // nil: no such header
	body        body     // nil: none
	claims      body     // nil: none
	signs       bool     // a tag outside the body stands for it
	warnings    []Problem
	tags        []Tag
	mappings    map[string]string
	reject      bool
}

// body renders what is sent after the headers.
type body interface {
	append(dst []byte, r *run) ([]byte, error)
	size() int
}

// header is a compiled header field.
type header struct {
	name  string
	value sequence
}

// Tag is a tag that a template uses.
type Tag struct {
	Name string
	Key  string // the template it stands in, as in [Problem]
}

// Request is what an event became. Header must not be changed in place.
type Request struct {
	Method      string
	URL         string
	ContentType string // empty: no such header
	SOAPAction  string // of SOAP 1.1, with its quotes; empty: no such header
	Header      []Field
	Body        []byte   // nil: none
	Files       []File   // what stands within Body, in order
	Claims      []byte   // nil: none
	Mask        []string // what must not be shown of Body: the WS-Security password as it stands there
}

// Compile checks s and makes a Template of it. With problems, which come in the
// order of the fields of s, the Template is nil.
func Compile(s Spec) (*Template, []Problem) {
	s.Zone, s.TimesIn = cmp.Or(s.Zone, time.UTC), cmp.Or(s.TimesIn, time.UTC)
	c := &compiler{Spec: s}
	t := &Template{method: s.Method, mappings: s.Mappings, reject: s.Reject}
	t.url = c.address(s)
	t.headers = c.headers(s.Headers)
	own := ""
	c.inBody = true
	if s.SOAP != nil {
		soapCompiler{c}.soap(t, s)
	} else {
		t.body, own = c.body(s)
	}
	c.inBody = false
	t.contentType = c.contentType(t, s, own)
	if s.Claims != "" {
		t.claims = c.json("auth.jwt.claims", s.Claims, false)
	}
	t.tags, t.warnings, t.signs = c.tags, c.warnings, c.signs
	if c.signs && c.carries != "" {
		c.problem(c.carries, "a body that carries a recording cannot be signed by a tag (use signing)")
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return t, nil
}

// Warnings lists the tags that stand where a value may break a document within
// another text.
func (t *Template) Warnings() []Problem { return slices.Clone(t.warnings) }

// Tags lists each tag of the template with the place where it is used, in order.
func (t *Template) Tags() []Tag { return slices.Clone(t.tags) }

// Uses reports whether the template uses a tag anywhere.
func (t *Template) Uses(tag string) bool {
	return slices.ContainsFunc(t.tags, func(used Tag) bool { return used.Name == tag })
}

// Render makes the request for one event. Now is what the tag now stands for
// when v has none, and the time of a WS-Security token. Its error is an [*Error].
func (t *Template) Render(v Values, now time.Time) (Request, error) {
	return t.render(&run{values: v, now: now, mappings: t.mappings, reject: t.reject})
}

func (t *Template) render(r *run) (Request, error) {
	req := Request{Method: t.method}
	var err error
	if t.signs {
		if req.Body, err = t.bytes(r); err != nil {
			return Request{}, err
		}
		r.more().body = req.Body
	}
	if req.URL, err = t.url.render(r); err != nil {
		return Request{}, err
	}
	if req.Header, err = t.fields(r); err != nil {
		return Request{}, err
	}
	if req.SOAPAction, err = t.soapAction.text(r); err != nil {
		return Request{}, err
	}
	if req.ContentType, err = t.contentType.text(r); err != nil {
		return Request{}, err
	}
	switch {
	case t.parted:
		req.ContentType += "; boundary=" + r.boundary()
	case t.file != "":
		req.ContentType = r.values(t.file + ".type").Text
	}
	if t.claims != nil {
		if req.Claims, err = t.claims.append(nil, r); err != nil {
			return Request{}, err
		}
	}
	if !t.signs {
		if req.Body, err = t.bytes(r); err != nil {
			return Request{}, err
		}
	}
	if r.seldom != nil {
		req.Mask, req.Files = r.seldom.mask, r.seldom.files
	}
	return req, nil
}

// bytes renders the body; nil when there is none.
func (t *Template) bytes(r *run) ([]byte, error) {
	if t.body == nil {
		return nil, nil
	}
	body, err := t.body.append(make([]byte, 0, t.body.size()), r)
	if r.omitted { // what is no XML has seen to it
		body, r.omitted = omitXML(body), false
	}
	return r.cut(body), err
}

// fields renders the headers.
func (t *Template) fields(r *run) ([]Field, error) {
	if len(t.headers) == 0 {
		return nil, nil
	}
	fields := make([]Field, 0, len(t.headers))
	for _, h := range t.headers {
		value, err := h.value.text(r)
		if err != nil {
			return nil, err
		}
		if r.omitted {
			r.omitted = false
			continue
		}
		fields = append(fields, Field{h.name, value})
	}
	return fields, nil
}

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
