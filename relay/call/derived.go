package call

import (
	"strings"

	"callrelay/render"
)

// derived returns a tag that the event lacks but that follows from what it has.
func (e *Event) derived(tag string) render.Value {
	t := byName[tag]
	if t == nil || t.derive == nil {
		return render.Value{}
	}
	text := t.derive(e)
	if text == "" {
		return render.Value{}
	}
	return render.Value{Kind: render.String, Text: text}
}

func lastFour(e *Event) string { return part(e.digits(), -4, 4) }

func areaCode(e *Event) string { return part(national(e.digits()), 0, 3) }

func exchange(e *Event) string { return part(national(e.digits()), 3, 3) }

func queueName(e *Event) string {
	if e.ScopeKind != "queue" {
		return ""
	}
	return e.Scope
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

// part returns n digits from a place, which counts from the end when negative;
// empty when the number is too short.
func part(digits string, from, n int) string {
	if from < 0 {
		digits = strings.TrimPrefix(digits, "+")
		from += len(digits)
	}
	if from < 0 || len(digits) < from+n {
		return ""
	}
	return digits[from : from+n]
}
