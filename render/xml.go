package render

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
)

// xmlSpace is the namespace that the prefix xml always stands for.
const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// markup compiles an XML template. Markup is kept as written; tags may stand in
// text, CDATA sections and attribute values.
type markup struct {
	source
	seq      sequence
	fragment bool // elements and text that go into an envelope, not a document
	depth    int
	roots    int
	spaces   []string // namespaces that a fragment's names may be in: those declared so far
}

// document compiles a template that is a whole XML document.
func (c *compiler) document(key, text string) sequence {
	m := &markup{source: c.source(key, text)}
	if m.compile() && m.roots != 1 {
		c.problem(key, "not an XML document: it has %d root elements, not 1", m.roots)
	}
	return m.seq
}

// elements compiles a template that goes into an envelope.
func (c *compiler) elements(key, text string) sequence {
	m := &markup{source: c.source(key, text), fragment: true, spaces: []string{"", soapPrefix, "xmlns", xmlSpace}}
	m.compile()
	return m.seq
}

// compile reads the template; false when it is not well-formed.
func (m *markup) compile() bool {
	d := xml.NewDecoder(strings.NewReader(m.text))
	d.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("encoding %q: everything is sent as UTF-8", charset)
	}
	for {
		start := int(d.InputOffset())
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return true
		}
		end := int(d.InputOffset())
		if err != nil {
			m.problemAt(end, "not XML: %s", reason(err))
			return false
		}
		if err := m.token(t, start, end); err != nil {
			m.problemAt(start, "%v", err)
			return false
		}
	}
}

// reason is a decoder's error without what it repeats.
func reason(err error) string {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return syntax.Msg
	}
	return strings.TrimPrefix(err.Error(), "xml: ")
}

// token adds what stands at text[start:end] of the template.
func (m *markup) token(t xml.Token, start, end int) error {
	switch t := t.(type) {
	case xml.StartElement:
		if m.depth == 0 {
			m.roots++
		}
		m.depth++
		return m.element(t, start, end)
	case xml.EndElement:
		m.depth--
	case xml.CharData:
		return m.characters(start, end)
	case xml.Directive:
		return errors.New("a DOCTYPE is not sent")
	case xml.ProcInst:
		if m.fragment {
			return errors.New("an envelope holds no XML declaration and no processing instruction")
		}
		return m.untagged(start, end)
	case xml.Comment:
		return m.untagged(start, end)
	}
	m.seq = m.seq.literal(m.text[start:end])
	return nil
}

// untagged adds markup in which nothing could be escaped.
func (m *markup) untagged(start, end int) error {
	for _, t := range lex(m.text[start:end]) {
		if t.tag() {
			return fmt.Errorf("%s: a tag cannot stand in a comment or processing instruction", t.text)
		}
	}
	m.seq = m.seq.literal(m.text[start:end])
	return nil
}

// characters adds text or a CDATA section.
func (m *markup) characters(start, end int) error {
	const open, shut = "<![CDATA[", "]]>"
	text := m.text[start:end]
	if m.depth == 0 && !m.fragment && strings.TrimSpace(text) != "" {
		return errors.New("not XML: text outside the root element")
	}
	if !strings.HasPrefix(text, open) {
		m.seq = m.seq.join(m.part(start, end, site{place: inXML, unescape: html.UnescapeString, whole: m.fills(start, end)}))
		return nil
	}
	for _, p := range m.part(start+len(open), end-len(shut), site{place: inCDATA}) {
		// Each literal and each tag gets a section of its own: what would end
		// one cannot come about at their seams.
		m.seq = m.seq.literal(open).join(sequence{p}).literal(shut)
	}
	return nil
}

// fills reports whether text is all that an element holds, which is not the root.
func (m *markup) fills(start, end int) bool {
	open := strings.LastIndexByte(m.text[:start], '<')
	return open >= 0 && strings.IndexByte("/!?", m.text[open+1]) < 0 && m.text[start-1] == '>' && m.text[start-2] != '/' &&
		strings.HasPrefix(m.text[end:], "</") && (m.fragment || m.depth > 1)
}

// element adds a start tag, with tags in its attribute values.
func (m *markup) element(t xml.StartElement, start, end int) error {
	if err := m.names(t); err != nil {
		return err
	}
	at := start
	for {
		open := strings.IndexAny(m.text[at:end], `"'`)
		if open < 0 {
			m.seq = m.seq.literal(m.text[at:end])
			return nil
		}
		before := m.text[at : at+open+1]
		at += open + 1
		length := strings.IndexByte(m.text[at:end], m.text[at-1])
		m.seq = m.seq.literal(before)
		value := m.part(at, at+length, site{place: inAttribute, unescape: html.UnescapeString})
		if namespace(before) && !value.static() {
			return errors.New("a tag cannot stand in a namespace declaration")
		}
		m.seq = m.seq.join(value)
		at += length
		m.seq = m.seq.literal(m.text[at : at+1])
		at++
	}
}

// names checks what the decoder does not: attributes given twice, and in a
// fragment prefixes that neither it nor the envelope declares.
func (m *markup) names(t xml.StartElement) error {
	seen := map[xml.Name]bool{}
	used := []string{t.Name.Space}
	for _, a := range t.Attr {
		if seen[a.Name] {
			return fmt.Errorf("not XML: attribute %s is given twice", a.Name.Local)
		}
		seen[a.Name] = true
		used = append(used, a.Name.Space)
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			m.spaces = append(m.spaces, a.Value)
		}
	}
	for _, space := range used {
		if m.fragment && !slices.Contains(m.spaces, space) {
			return fmt.Errorf("not XML: prefix %q is not declared", space)
		}
	}
	return nil
}

// namespace reports whether the attribute whose value follows declares a namespace.
func namespace(before string) bool {
	words := strings.Fields(strings.TrimRight(before, "\"'= \t\r\n"))
	name := words[len(words)-1]
	return name == "xmlns" || strings.HasPrefix(name, "xmlns:")
}
