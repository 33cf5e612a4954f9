package render

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// number gives a JSON number with the digits that came, null for an empty value.
func number(v Value) (Value, error) {
	text := strings.TrimSpace(v.text())
	switch {
	case text == "":
		return Value{JSON, "null"}, nil
	case isNumber(text):
		return Value{JSON, text}, nil
	default:
		return Value{}, fmt.Errorf("%s is not a JSON number", quote(v.Text))
	}
}

// isNumber reports whether s, which is not empty, is a number as JSON writes it.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := leadingDigits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if decimals, ok := strings.CutPrefix(s, "."); ok {
		n := leadingDigits(decimals)
		if n == 0 {
			return false
		}
		s = decimals[n:]
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && allDigits(s)
}

// leadingDigits counts the digits that s begins with.
func leadingDigits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// allDigits reports whether s holds nothing but digits.
func allDigits(s string) bool { return leadingDigits(s) == len(s) }

// boolean gives true or false, null for an empty value.
func boolean(v Value) (Value, error) {
	switch strings.ToLower(strings.TrimSpace(v.text())) {
	case "":
		return Value{JSON, "null"}, nil
	case "true", "yes", "on", "1":
		return Value{JSON, "true"}, nil
	case "false", "no", "off", "0":
		return Value{JSON, "false"}, nil
	default:
		return Value{}, fmt.Errorf("%s is not a truth value (true yes on 1, false no off 0)", quote(v.Text))
	}
}

// asJSON gives the value as the JSON it was, null for an empty one.
func asJSON(v Value) (Value, error) {
	switch {
	case v.text() == "":
		return Value{JSON, "null"}, nil
	case v.Kind == String:
		return Value{JSON, string(appendQuoted(nil, v.Text))}, nil
	case !jsontext.Value(v.Text).IsValid():
		return Value{}, fmt.Errorf("%s is not JSON", quote(v.Text))
	default:
		return Value{JSON, v.Text}, nil
	}
}
