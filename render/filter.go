package render

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// transform turns one value into another.
type transform func(Value) (Value, error)

// Filter describes a filter for the documentation.
type Filter struct {
	Name    string
	Example string // as it is written behind the bar; with a colon when it takes an argument
	Text    string
}

// Filters lists all filters.
func Filters() []Filter {
	return []Filter{
		{"number", "number", "a JSON number with the digits that came; null when empty"},
		{"json", "json", "the JSON that came, objects and arrays too; null when empty"},
		{"bool", "bool", "true (true yes on 1) or false (false no off 0); null when empty"},
		{"upper", "upper", "upper case"},
		{"lower", "lower", "lower case"},
		{"trim", "trim", "without spaces around it"},
		{"last", "last:4", "the last characters"},
		{"default", "default:none", "this text when empty"},
		{"time", "time:rfc3339", "a time as rfc3339, unix, unixms, ansi or in a Go layout such as 2006-01-02 15:04:05"},
		{"zone", "zone:America/Chicago", "a time in this zone"},
		{"e164", "e164:1", "a telephone number as + and digits; the argument is its country code when it has none"},
		{"sha256", "sha256", "the SHA-256 in hexadecimal; empty when empty"},
	}
}

// takesArgument tells whether the filter is written with one.
func (f Filter) takesArgument() bool { return strings.Contains(f.Example, ":") }

// find looks up the filter that was written, and refuses an argument where none
// is taken, and a missing one.
func find(i invocation) error {
	names := make([]string, 0, 16)
	for _, f := range Filters() {
		names = append(names, f.Name)
		switch {
		case f.Name != i.name:
		case i.hasArg && !f.takesArgument():
			return fmt.Errorf("filter %s takes no argument, not %q", i.name, i.arg)
		case !i.hasArg && f.takesArgument():
			return fmt.Errorf("filter %s needs an argument, as in %s", i.name, f.Example)
		default:
			return nil
		}
	}
	return fmt.Errorf("filter %q is not known; nearest is %s (known: %s)", i.name, nearest(i.name, names), strings.Join(names, " "))
}

// newTransform compiles a filter; time and zone make an [instant].
func newTransform(i invocation) (transform, error) {
	if err := find(i); err != nil {
		return nil, err
	}
	switch i.name {
	case "number":
		return number, nil
	case "json":
		return asJSON, nil
	case "bool":
		return boolean, nil
	case "upper":
		return ofText(strings.ToUpper), nil
	case "lower":
		return ofText(strings.ToLower), nil
	case "trim":
		return ofText(strings.TrimSpace), nil
	case "last":
		return newLast(i.arg)
	case "default":
		return newDefault(i.arg), nil
	case "e164":
		return newE164(i.arg)
	default:
		return ofText(digest), nil // sha256
	}
}

// ofText makes a transform of a function on text.
func ofText(f func(string) string) transform {
	return func(v Value) (Value, error) { return Value{String, f(v.text())}, nil }
}

// newLast keeps the last characters of a text.
func newLast(arg string) (transform, error) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("last: %q is not a number of characters from 1", arg)
	}
	return ofText(func(s string) string {
		at := len(s)
		for left := n; left > 0 && at > 0; left-- {
			_, size := utf8.DecodeLastRuneInString(s[:at])
			at -= size
		}
		return s[at:]
	}), nil
}

// newDefault puts text in the place of an empty value.
func newDefault(text string) transform {
	return func(v Value) (Value, error) {
		if v.text() == "" {
			return Value{String, text}, nil
		}
		return v, nil
	}
}

// digest is the SHA-256 of s in hexadecimal; of nothing, nothing, so that a
// missing value stays one.
func digest(s string) string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// newE164 writes telephone numbers with the country code they belong to.
func newE164(country string) (transform, error) {
	if country == "" || len(country) > 3 || country[0] == '0' || !allDigits(country) {
		return nil, errors.New("e164: " + strconv.Quote(country) + " is not a country code like 1 or 49")
	}
	return ofText(func(s string) string { return e164(s, country) }), nil
}

// quote shows a value in an error, cut short.
func quote(s string) string {
	const most = 40
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
}
