package command

import (
	"strconv"
	"strings"
	"unicode"
)

// visible is text from outside as a terminal may show it: what cannot be
// printed, and so might command the terminal, is escaped as Go does. Of the
// control characters only those in keep stay.
func visible(text, keep string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) || strings.ContainsRune(keep, r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
