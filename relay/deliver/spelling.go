package deliver

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

// spellings matches a text in all the ways that an endpoint may repeat it: as it
// is, in JSON, XML, a form, a query or a path, and one within another.
func spellings(text string) *regexp.Regexp {
	var pattern strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			pattern.WriteRune(r)
			continue
		}
		spell(&pattern, r)
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
