package render

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// xmlInner escapes text for an XML document that stands within something else.
func xmlInner(string) (transform, error) {
	return func(v Value) (Value, error) {
		dst, err := appendXML(nil, v.text(), true)
		return Value{String, string(dst)}, err
	}, nil
}

// urlInner escapes text for a URL or a form that stands within something else.
func urlInner(s string) string { return string(appendPercent(nil, s, false)) }

func base64Inner(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// quoted is the step of the filter json between quotes of an inner document: the
// text without quotes of its own.
func quoted(v Value) (Value, error) {
	switch text := v.text(); {
	case text == "null":
		return Value{String, ""}, nil
	case strings.HasPrefix(text, `"`):
		return Value{String, text[1 : len(text)-1]}, nil
	default:
		return Value{String, string(appendString(nil, text))}, nil
	}
}

// newMap replaces whole values, as in a=b,c=d,*=e, where * stands for any other.
func newMap(arg string) (transform, error) {
	to := map[string]string{}
	for pair := range strings.SplitSeq(arg, ",") {
		from, text, found := strings.Cut(pair, "=")
		if _, twice := to[from]; !found || twice {
			return nil, fmt.Errorf("map: %q is no list of pairs such as a=b,c=d,*=e", arg)
		}
		to[from] = text
	}
	other, any := to["*"]
	return ofText(func(s string) string {
		if text, ok := to[s]; ok {
			return text
		}
		if any {
			return other
		}
		return s
	}), nil
}

// bodyTag is the tag that stands for the request's body before the filter hmac.
const bodyTag = "body"

// newHMAC makes the filter hmac with the secret that its argument names, as in
// NAME or NAME:base64.
func newHMAC(arg string, secrets map[string]string) (transform, error) {
	name, form, _ := strings.Cut(arg, ":")
	secret, known := secrets[name]
	encode := hex.EncodeToString
	switch {
	case !known:
		return nil, fmt.Errorf("hmac: %q is not in [service.secrets]", name)
	case form == "base64":
		encode = base64.StdEncoding.EncodeToString
	case form != "" && form != "hex":
		return nil, fmt.Errorf("hmac: %q is no form (hex base64)", form)
	}
	return ofText(func(s string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(s))
		return encode(mac.Sum(nil))
	}), nil
}

// signsBody reports whether a tag stands for the request's body.
func (t token) signsBody() bool {
	return t.name == bodyTag && slices.ContainsFunc(t.filters, func(f invocation) bool { return f.name == "hmac" })
}

var (
	looksJSON = regexp.MustCompile(`[{\[]\s*"`)
	looksXML  = regexp.MustCompile(`</[A-Za-z_]|<[A-Za-z_][^<>]*/>`)
)

// inner warns of the tags in a stretch of a template that looks like a document
// of its own, which the escapes of its place do not keep whole.
func (s source) inner(tokens []token, start int, at site) {
	var text strings.Builder
	for _, t := range tokens {
		switch {
		case t.tag():
			text.WriteByte('x')
		case at.unescape != nil:
			text.WriteString(at.unescape(t.text))
		default:
			text.WriteString(t.text)
		}
	}
	kind, filter := "", ""
	switch {
	case looksXML.MatchString(text.String()):
		kind, filter = "XML", "xml"
	case looksJSON.MatchString(text.String()):
		kind, filter = "JSON", "json"
	default:
		return
	}
	for _, t := range tokens {
		if t.tag() && !t.kept() {
			s.warnings = append(s.warnings, Problem{Key: s.key, Text: fmt.Sprintf(
				"%s: %s stands in what looks like %s within another text, which a value may break: #%s|%s# keeps it whole",
				position(s.text, start+t.offset), t.text, kind, t.name, filter)})
		}
	}
}

// kept reports whether a filter of the tag lets nothing through that means
// something in another document.
func (t token) kept() bool {
	for _, f := range t.filters {
		switch f.name {
		case "json", "xml", "url", "base64", "number", "bool", "sha256", "hmac":
			return true
		}
	}
	return false
}

// omitted marks the place of a value that is left out: no value can hold it.
const omitted = '\x00'

// errOmitted says that a value is left out.
var errOmitted = errors.New("left out")

var errOmit = errors.New("omit: the tag must be all of a JSON string within the document, a form value, a header or the text of an XML element")

// omitJSON leaves out the members and elements that are marked.
func omitJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	name := -1 // where in out the name of the present member begins
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			n := stringLength(text[i:])
			if name < 0 {
				name = len(out)
			}
			out = append(out, text[i:i+n]...)
			i += n - 1
			continue
		case '{', '[', ',', '}', ']':
			name = -1
		case omitted:
			if name >= 0 {
				out = out[:name]
			}
			out, i = uncomma(out, text, i)
			name = -1
			continue
		}
		out = append(out, text[i])
	}
	return out
}

// uncomma takes away the comma in front of what was left out at i, or else the
// one behind it.
func uncomma(out, text []byte, i int) ([]byte, int) {
	if front := bytes.TrimRight(out, " \t\r\n"); bytes.HasSuffix(front, []byte(",")) {
		return front[:len(front)-1], i
	}
	next := i + 1
	for next < len(text) && strings.IndexByte(" \t\r\n", text[next]) >= 0 {
		next++
	}
	if next < len(text) && text[next] == ',' {
		return out, next
	}
	return out, i
}

// omitXML leaves out the elements whose text is marked.
func omitXML(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != omitted {
			out = append(out, text[i])
			continue
		}
		out = out[:max(bytes.LastIndexByte(out, '<'), 0)] // an attribute has it escaped
		i += max(bytes.IndexByte(text[i:], '>'), 0)       // of the end tag
	}
	return out
}
