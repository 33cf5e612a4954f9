package render

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonBody is a compiled JSON template.
type jsonBody struct {
	key      string
	sequence                 // up to the closing brace, when members are added
	tail     string          // the rest
	script   bool            // add the members of the event's script
	own      map[string]bool // the names at the top, which these must not use
	named    bool            // a tag stands in a name: names are known, and may come twice, only when rendered
}

// json compiles a JSON template. Everything outside strings is kept as written.
func (c *compiler) json(key, text string, script bool) body {
	src := c.source(key, text)
	if err := checkJSON(text); err != nil {
		src.jsonProblem(err)
		return nil
	}
	if script && !strings.HasPrefix(strings.TrimSpace(text), "{") {
		c.problem(key, "all_script_data needs a JSON object to add to")
		return nil
	}
	b := &jsonBody{key: key, script: script}
	for at := 0; at < len(text); {
		quote := strings.IndexByte(text[at:], '"')
		if quote < 0 {
			b.sequence = b.literal(text[at:])
			break
		}
		b.sequence = b.literal(text[at : at+quote])
		at += quote
		end := at + stringLength(text[at:])
		src.jsonString(b, at, end)
		at = end
	}
	if script {
		b.own = topNames(text)
		last := &b.sequence[len(b.sequence)-1] // a literal: the object's closing brace
		brace := strings.LastIndexByte(last.literal, '}')
		last.literal, b.tail = last.literal[:brace], last.literal[brace:]
	}
	return b
}

// checkJSON reports whether text is one JSON value.
func checkJSON(text string) error {
	d := jsontext.NewDecoder(strings.NewReader(text))
	if _, err := d.ReadValue(); err != nil {
		return err
	}
	at := d.InputOffset()
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return &jsontext.SyntacticError{ByteOffset: at, Err: errors.New("text after the value")}
	}
	return nil
}

// jsonProblem reports where and why the template is not JSON.
func (s source) jsonProblem(err error) {
	at := len(s.text)
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, err = int(syntax.ByteOffset), syntax.Err
	}
	if at < len(s.text) && s.text[at] == '#' {
		if t, ok := lexTag(s.text, at); ok {
			s.problemAt(at, "not JSON: %s stands outside quotes; \"#%s|json#\" gives the bare value, as number and bool do", t.text, t.name)
			return
		}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	s.problemAt(at, "not JSON: %v", err)
}

// jsonString adds the string literal text[start:end] of the template to b.
func (s source) jsonString(b *jsonBody, start, end int) {
	name := strings.HasPrefix(strings.TrimLeft(s.text[end:], " \t\r\n"), ":")
	within := strings.TrimSpace(s.text) != s.text[start:end]
	seq := s.part(start+1, end-1, site{place: inString, unescape: unescapeJSON, whole: within && !name})
	if !name && len(seq) == 1 && seq[0].tag != nil && (seq[0].tag.typed || seq[0].tag.omits) {
		if seq[0].place = inQuotes; seq[0].tag.typed {
			seq[0].place = inText // the bare value
		}
		b.sequence = append(b.sequence, seq[0])
		return
	}
	b.named = b.named || name && strings.Contains(s.text[start:end], "#")
	b.sequence = b.literal(`"`).join(seq).literal(`"`)
}

// stringLength is the length of the JSON string that text begins with, quotes included.
func stringLength[T string | []byte](text T) int {
	i := 1
	for text[i] != '"' {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	return i + 1
}

// unescapeJSON reads a filter's argument as it was written within a JSON string.
func unescapeJSON(arg string) string {
	text, err := jsontext.AppendUnquote(nil, `"`+arg+`"`)
	if err != nil {
		return arg // it was cut at a colon or bar, not within an escape, so this is not reached
	}
	return string(text)
}

func (b *jsonBody) size() int { return b.sequence.size() + len(b.tail) }

// append renders the body.
func (b *jsonBody) append(dst []byte, r *run) ([]byte, error) {
	start := len(dst)
	dst, err := b.sequence.append(dst, r)
	if err != nil {
		return dst, err
	}
	cut := r.omitted
	if cut {
		dst, r.omitted = append(dst[:start], omitJSON(dst[start:])...), false
	}
	if b.script {
		if dst, err = b.merge(dst, start, cut, r); err != nil {
			return dst, err
		}
	}
	if b.named {
		if err := checkJSON(string(dst[start:])); err != nil {
			return dst, &Error{Key: b.key, Text: fmt.Sprintf("a tag made a name come twice: %v", err)}
		}
	}
	return dst, nil
}

// merge adds the members of the script whose names the template does not use.
func (b *jsonBody) merge(dst []byte, start int, cut bool, r *run) ([]byte, error) {
	members, err := r.script()
	if err != nil {
		return dst, err
	}
	own := b.own
	if b.named || cut {
		own = topNames(string(dst[start:]) + b.tail)
	}
	empty := len(own) == 0
	for _, m := range members {
		if own[m.name] {
			continue
		}
		if !empty {
			dst = append(dst, ',')
		}
		empty = false
		dst = append(appendQuoted(dst, m.name), ':')
		dst = append(dst, m.raw...)
	}
	return append(dst, b.tail...), nil
}

// topNames gives the names of the members of a JSON object.
func topNames(object string) map[string]bool {
	names := map[string]bool{}
	d := jsontext.NewDecoder(strings.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		return names
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return names
		}
		names[name.String()] = true
		if d.SkipValue() != nil {
			return names
		}
	}
	return names
}
