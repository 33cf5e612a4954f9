package render

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// place is where in a template a tag stands; it decides how the value is escaped.
type place uint8

const (
	inText      place = iota // as it is
	inString                 // within a JSON string
	inQuotes                 // the whole JSON string, quotes included
	inForm                   // a form value, a space as +
	inPercent                // a URL's path segment or query, a space as %20
	inXML                    // XML text
	inAttribute              // a quoted attribute value
	inCDATA                  // a CDATA section
	inHeader                 // a header's value
)

// append writes s to dst, escaped for the place. The error says what the place
// cannot carry.
func (p place) append(dst []byte, s string) ([]byte, error) {
	switch p {
	case inString:
		return appendString(dst, s), nil
	case inQuotes:
		return appendQuoted(dst, s), nil
	case inForm:
		return appendPercent(dst, s, true), nil
	case inPercent:
		return appendPercent(dst, s, false), nil
	case inXML:
		return appendXML(dst, s, false)
	case inAttribute:
		return appendXML(dst, s, true)
	case inCDATA:
		return appendCDATA(dst, s)
	case inHeader:
		return appendHeader(dst, s)
	default:
		return append(dst, s...), nil
	}
}

const hexDigits = "0123456789ABCDEF"

// appendString escapes s for the inside of a JSON string (RFC 8259).
func appendString(dst []byte, s string) []byte {
	at := len(dst)
	dst = appendQuoted(dst, s)
	return append(dst[:at], dst[at+1:len(dst)-1]...)
}

// appendQuoted writes s as a JSON string. U+2028 and U+2029 are escaped too: JSON
// carries them, but JavaScript once did not.
func appendQuoted(dst []byte, s string) []byte {
	at := len(dst)
	dst, _ = jsontext.AppendQuote(dst, s) // an error means invalid UTF-8, which is replaced
	if strings.ContainsAny(s, "\u2028\u2029") {
		dst = append(dst[:at], lineEnds.Replace(string(dst[at:]))...)
	}
	return dst
}

var lineEnds = strings.NewReplacer("\u2028", `\u2028`, "\u2029", `\u2029`)

// appendPercent percent-encodes all of s but the unreserved characters of RFC 3986.
func appendPercent(dst []byte, s string, plus bool) []byte {
	done := 0
	for i := range len(s) {
		c := s[i]
		if unreserved(c) {
			continue
		}
		dst = append(dst, s[done:i]...)
		if c == ' ' && plus {
			dst = append(dst, '+')
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
		done = i + 1
	}
	return append(dst, s[done:]...)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

// appendXML escapes s as XML text, or as an attribute's value, where a parser
// would turn line breaks and tabs into spaces.
func appendXML(dst []byte, s string, attribute bool) ([]byte, error) {
	if err := checkXML(s); err != nil {
		return dst, err
	}
	escapes := textEscapes
	if attribute {
		escapes = attributeEscapes
	}
	return append(dst, escapes.Replace(s)...), nil
}

var (
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;", `"`, "&quot;", "'", "&#39;", "\t", "&#x9;", "\n", "&#xA;")
)

// appendCDATA writes s into a CDATA section that holds nothing else. What would
// end the section, or be read back as something else, ends it in good order and
// begins another one.
func appendCDATA(dst []byte, s string) ([]byte, error) {
	if err := checkXML(s); err != nil {
		return dst, err
	}
	s = strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>")
	s = strings.ReplaceAll(s, "\r", "]]>&#xD;<![CDATA[")
	return append(dst, s...), nil
}

// checkXML refuses what XML 1.0 has no way to write, not even escaped.
func checkXML(s string) error {
	for i, r := range s {
		switch {
		case r >= ' ' && r < utf8.RuneError, r == '\t', r == '\n', r == '\r', r > '\uFFFF':
		case r == utf8.RuneError && strings.HasPrefix(s[i:], string(utf8.RuneError)): // written so, not invalid UTF-8
		default:
			return fmt.Errorf("the value holds %U, which XML does not allow", r)
		}
	}
	return nil
}

// appendHeader refuses control characters: a header has no way to escape them.
// Text beyond ASCII goes out as UTF-8.
func appendHeader(dst []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return dst, fmt.Errorf("the value holds %U, which a header cannot carry", c)
		}
	}
	return append(dst, s...), nil
}
