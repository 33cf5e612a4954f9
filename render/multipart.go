package render

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A File is where in a [Request]'s body a file stands: the tag that stands for it
// says which one.
type File struct {
	At  int // before this byte of Body
	Tag string
}

// multipart is form data (RFC 7578): a part for each field.
type multipart struct {
	parts  []part
	script bool // and one for each member of the event's script
}

type part struct {
	name  string
	value sequence
	file  *tag // the part is this file; nil: it is value
}

// compileMultipart compiles form data whose parts may be files.
func compileMultipart(c *compiler, s Spec) body {
	m := &multipart{script: s.AllScriptData}
	for _, field := range s.Params {
		key := "multipart." + field.Name
		c.name(key, field.Name)
		p := part{name: field.Name, file: fileTag(c, key, field.Value)}
		if p.file == nil {
			p.value = c.source(key, field.Value).all(site{place: inText, whole: true})
		}
		m.parts = append(m.parts, p)
	}
	return m
}

// compileFile compiles a body that is a file.
func compileFile(c *compiler, s Spec) body {
	t := fileTag(c, "file", s.Text)
	if t == nil {
		c.problem("file", "%q is no file (%s)", s.Text, "#"+strings.Join(c.Files, "#, #")+"#")
		return nil
	}
	return &fileBody{t}
}

// fileTag compiles a template that is a file's tag and nothing else; nil when it
// is another.
func fileTag(c *compiler, key, text string) *tag {
	name := strings.TrimSuffix(strings.TrimPrefix(text, "#"), "#")
	if text != "#"+name+"#" || !slices.Contains(c.Files, name) {
		return nil
	}
	c.carries = key
	c.tags = append(c.tags, Tag{Name: name, Key: key})
	return &tag{name: name, source: text, key: key}
}

// carried refuses the tag of a file where no file can stand. One in base64 stands
// in the text of a body, as it is.
func (s source) carried(t token, start int, at site) {
	switch {
	case slices.Contains(s.Files, t.name):
		s.problemAt(start+t.offset, "%s stands for a file: alone in a part of multipart, or as file", t.text)
	case !slices.Contains(s.Encoded, t.name):
	case !s.inBody || at.place == inForm || strings.HasPrefix(s.key, "multipart."):
		s.problemAt(start+t.offset, "%s stands in a body of JSON, XML or text only", t.text)
	default:
		s.carries = s.key
		for _, f := range t.filters {
			if f.name != "omit" && f.name != "json" && f.name != "default" {
				s.problemAt(start+f.offset, "%s: filter %s cannot go with it (omit, json, default)", t.text, f.name)
			}
		}
	}
}

// there returns the name of the file that a tag stands for, if there is one.
func (t *tag) there(r *run) (name string, ok bool, err error) {
	v := r.values(t.name)
	if r.steps != nil {
		*r.steps = append(*r.steps, Step{Key: t.key, Tag: t.source, Value: v, Text: v.text()})
	}
	if v.missing() && r.reject {
		return "", false, &Error{Key: t.key, Tag: t.source, Text: "the event lacks it"}
	}
	return v.text(), !v.missing(), nil
}

// carry notes that a file stands before a byte of the body.
func (r *run) carry(at int, tag string) {
	more := r.more()
	more.files = append(more.files, File{at, tag})
}

// boundary parts the body. It is made for each, so that no value can hold it.
func (r *run) boundary() string {
	more := r.more()
	if more.random == "" {
		more.random = "relay-" + strings.ToLower(rand.Text())
	}
	return more.random
}

func (m *multipart) size() int {
	const perPart = 128
	n := 0
	for _, p := range m.parts {
		n += perPart + p.value.size()
	}
	return n
}

// append renders the parts.
func (m *multipart) append(dst []byte, r *run) ([]byte, error) {
	var err error
	for _, p := range m.parts {
		if dst, err = p.append(dst, r); err != nil {
			return dst, err
		}
	}
	if m.script {
		members, err := r.script()
		if err != nil {
			return dst, err
		}
		for _, member := range members {
			if !slices.ContainsFunc(m.parts, func(p part) bool { return p.name == member.name }) {
				dst = append(append(append(r.head(dst, member.name), "\r\n\r\n"...), member.text()...), "\r\n"...)
			}
		}
	}
	return append(append(append(dst, "--"...), r.boundary()...), "--\r\n"...), nil
}

// append renders one part. A file that is not there is left out.
func (p part) append(dst []byte, r *run) (_ []byte, err error) {
	before := len(dst)
	dst = r.head(dst, p.name)
	if p.file == nil {
		dst, err = p.value.append(append(dst, "\r\n\r\n"...), r)
	} else if name, ok, missing := p.file.there(r); ok {
		dst = fmt.Appendf(dst, "; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n", escapeName(name), r.values(p.file.name+".type").Text)
		r.carry(len(dst), p.file.name)
	} else {
		r.omitted, err = true, missing
	}
	if dst = append(dst, "\r\n"...); r.omitted {
		dst, r.omitted = dst[:before], false
	}
	return dst, err
}

// head begins a part.
func (r *run) head(dst []byte, name string) []byte {
	return fmt.Appendf(dst, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", r.boundary(), escapeName(name))
}

// escapeName writes a name between quotes as browsers do, so that it ends where
// it should for those who know escapes of another kind, too.
func escapeName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// fileBody is a body that is a file.
type fileBody struct{ *tag }

func (fileBody) size() int { return 0 }

// append notes the file. Without one there is nothing to send.
func (b fileBody) append(dst []byte, r *run) ([]byte, error) {
	_, ok, err := b.there(r)
	if err == nil && !ok {
		err = b.fail(errNoFile)
	}
	r.carry(len(dst), b.name)
	return dst, err
}

var errNoFile = errors.New("there is no recording to send")

// encode stands for a file in base64 until the body is complete.
func (r *run) encode(t *tag) Value {
	r.more().encoded = t.name
	return Value{String, r.boundary()}
}

// cut takes out of a body what stands for a file in base64, and notes where.
func (r *run) cut(body []byte) []byte {
	if r.seldom == nil || r.seldom.encoded == "" {
		return body
	}
	parts := bytes.Split(body, []byte(r.boundary()))
	body = body[:0]
	for i, part := range parts {
		if i > 0 {
			r.carry(len(body), r.seldom.encoded)
		}
		body = append(body, part...)
	}
	return body
}
