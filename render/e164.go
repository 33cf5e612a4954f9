package render

import "strings"

const (
	shortestPhone = 7 // shorter ones are extensions or service numbers
	longestPhone  = 15
)

// e164 writes a telephone number as + and all its digits. A number without + or
// an international prefix belongs to country, and loses its trunk prefix 0 (but
// for Italy, where the 0 is part of it). What is no telephone number, an
// extension, "anonymous" or a SIP address, comes back as it is.
func e164(s, country string) string {
	digits, plus, ok := dialled(s)
	if !ok {
		return s
	}
	national := false
	switch {
	case plus:
	case country == "1" && strings.HasPrefix(digits, "011"):
		digits = digits[3:]
	case strings.HasPrefix(digits, "00"):
		digits = digits[2:]
	case strings.HasPrefix(digits, country) && len(digits) >= len(country)+8:
	default:
		national = true
	}
	if len(digits) < shortestPhone {
		return s
	}
	if national {
		if country != "39" {
			digits = strings.TrimPrefix(digits, "0")
		}
		digits = country + digits
	}
	if len(digits) > longestPhone {
		return s
	}
	return "+" + digits
}

// dialled takes the marks out of a telephone number that people write for the eye.
func dialled(s string) (digits string, plus, ok bool) {
	s, plus = strings.CutPrefix(strings.TrimSpace(s), "+")
	digits = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -./()\u00a0", r) {
			return -1
		}
		return r
	}, s)
	return digits, plus, digits != "" && allDigits(digits)
}
