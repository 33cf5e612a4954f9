package deliver

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf16"
)

// secret is a text that is not to be shown, with all the ways that an endpoint
// may repeat it: as it is, in JSON, XML, a form, a query or a path, and one within
// another; in capitals; in hexadecimal; and in base64, alone or within more.
type secret struct {
	text    string
	folded  []string              // in lower case, found whatever the case
	exact   []string              // in base64
	escaped func() *regexp.Regexp // the ways that need a %, an & or a backslash
}

// minBase64 is the length from which a part of a base64 text is looked for.
const minBase64 = 8

func newSecret(text string) secret {
	s := secret{text: text, folded: []string{lower(text), hex.EncodeToString([]byte(text))}}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		s.exact = append(s.exact, encoding.EncodeToString([]byte(text)))
		for shift := 1; shift < 3; shift++ { // behind one or two bytes of something else
			s.exact = append(s.exact, encoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))[shift+1:])
		}
	}
	for i, part := range s.exact { // the last character depends on what follows
		if len(text)%3 != 0 || i%3 != 0 {
			part = part[:max(0, len(part)-1)]
		}
		s.exact[i] = part
	}
	s.escaped = sync.OnceValue(func() *regexp.Regexp { return spellings(text, s.exact[0]) })
	return s
}

// mask returns a text without the secret.
func (s secret) mask(text string) string {
	for _, part := range s.exact {
		if len(part) >= minBase64 {
			text = strings.ReplaceAll(text, part, masked)
		}
	}
	for _, part := range s.folded {
		text = replaceFolded(text, part)
	}
	if strings.ContainsAny(text, `%&\+`) {
		text = s.escaped().ReplaceAllLiteralString(text, masked)
	}
	return text
}

// replaceFolded masks a part, given in lower case, whatever its case in the text.
func replaceFolded(text, part string) string {
	var masks strings.Builder
	for rest := lower(text); ; {
		i := strings.Index(rest, part)
		if i < 0 {
			return masks.String() + text
		}
		masks.WriteString(text[:i] + masked)
		rest, text = rest[i+len(part):], text[i+len(part):]
	}
}

// lower returns text with the letters A to Z in lower case, as long as it was.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// spellings matches texts in the ways that formats escape them.
func spellings(texts ...string) *regexp.Regexp {
	var pattern strings.Builder
	pattern.WriteString(`(?i)`)
	for i, text := range texts {
		if i > 0 {
			pattern.WriteString(`|`)
		}
		for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
			spell(&pattern, r)
		}
	}
	return regexp.MustCompile(pattern.String())
}

// spell writes the pattern of one character that formats write differently.
func spell(b *strings.Builder, r rune) {
	b.WriteString(`(?:`)
	if r == '\\' {
		b.WriteString(`\\+`)
	} else {
		b.WriteString(`\\*` + regexp.QuoteMeta(string(r)))
	}
	b.WriteString(`|`)
	for _, unit := range utf16.Encode([]rune{r}) {
		fmt.Fprintf(b, `\\+u(?i:%04x)`, unit)
	}
	b.WriteString(`|`)
	for _, c := range []byte(string(r)) {
		fmt.Fprintf(b, `%%(?:25)*(?i:%02x)`, c)
	}
	fmt.Fprintf(b, `|&(?:amp;)*(?:#0*%d|#(?i:x0*%x)%s);`, r, r, entities[r])
	if r == ' ' {
		b.WriteString(`|\+`)
	}
	b.WriteString(`)`)
}

// entities are the names that XML and HTML have for characters.
var entities = map[rune]string{
	'"': "|quot", '&': "|amp", '\'': "|apos", '<': "|lt", '>': "|gt",
}
