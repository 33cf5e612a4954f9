package call

import "strings"

// derived returns a tag that the event lacks but that follows from what it has.
func (e *Event) derived(tag string) Value {
	switch tag {
	case "ani_last4":
		return part(e.digits(), -4, 4)
	case "ani_npa":
		return part(national(e.digits()), 0, 3)
	case "ani_nxx":
		return part(national(e.digits()), 3, 3)
	case "gate_name":
		if e.ScopeKind == "queue" {
			return Value{Kind: String, Text: e.Scope}
		}
	}
	return Value{}
}

// digits returns the caller's number as digits, with its leading plus; empty
// when it is no telephone number.
func (e *Event) digits() string {
	m, ok := find(e.members, "ani")
	if !ok {
		return ""
	}
	text, _ := m.text()
	var digits strings.Builder
	for i, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9', c == '+' && i == 0:
			digits.WriteByte(c)
		case !strings.ContainsRune(" -.()/", rune(c)):
			return ""
		}
	}
	return digits.String()
}

// national returns the ten digits of a number of the North American plan.
func national(digits string) string {
	digits, international := strings.CutPrefix(digits, "+")
	switch {
	case len(digits) == 11 && digits[0] == '1':
		return digits[1:]
	case len(digits) == 10 && !international:
		return digits
	default:
		return ""
	}
}

// part returns n digits from a place, which counts from the end when negative.
// A number that is too short has no such part.
func part(digits string, from, n int) Value {
	if from < 0 {
		digits = strings.TrimPrefix(digits, "+")
		from += len(digits)
	}
	if from < 0 || len(digits) < from+n {
		return Value{}
	}
	return Value{Kind: String, Text: digits[from : from+n]}
}
