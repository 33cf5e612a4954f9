package exchange

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is how many bytes of an endpoint's text are kept, wherever it is
// shown, stored or logged.
const MaxText = 256

// Clip makes text that came from outside fit to be shown: white space at its
// ends is dropped, what cannot be printed (control characters, bytes that are
// no UTF-8, marks that change the direction of writing) is escaped as Go does,
// and the result is cut to [MaxText] bytes, never inside a character or escape.
func Clip(text string) string {
	text = strings.TrimSpace(text)
	clipped := make([]byte, 0, min(len(text), MaxText))
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		length := len(clipped)
		clipped = appendPrintable(clipped, r, text[:size])
		if len(clipped) > MaxText {
			return string(clipped[:length])
		}
		text = text[size:]
	}
	return string(clipped)
}

func appendPrintable(b []byte, r rune, source string) []byte {
	switch {
	case r == utf8.RuneError && len(source) == 1:
		return append(b, `\x`+strconv.FormatUint(uint64(source[0]), 16)...)
	case unicode.IsPrint(r):
		return append(b, source...)
	default:
		quoted := strconv.QuoteRuneToASCII(r)
		return append(b, quoted[1:len(quoted)-1]...)
	}
}
