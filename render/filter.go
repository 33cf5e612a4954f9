package render

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// filter turns one value into another.
type filter func(Value) (Value, error)

// Filters lists the names of all filters, in the order of the documentation.
func Filters() []string {
	return []string{"number", "json", "bool", "upper", "lower", "trim", "last", "default", "time", "zone", "e164", "sha256"}
}

// newFilter compiles a filter other than time and zone, which make one [instant].
func newFilter(c call) (filter, error) {
	if err := checkArgument(c); err != nil {
		return nil, err
	}
	switch c.name {
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
		return newLast(c.arg)
	case "default":
		return newDefault(c.arg), nil
	case "e164":
		return newE164(c.arg)
	case "sha256":
		return ofText(digest), nil
	default:
		return nil, fmt.Errorf("filter %q is not known; nearest is %q (known: %s)",
			c.name, nearest(c.name, Filters()), strings.Join(Filters(), " "))
	}
}

// checkArgument refuses an argument where none is taken, and a missing one.
func checkArgument(c call) error {
	takes := slices.Contains([]string{"last", "default", "time", "zone", "e164"}, c.name)
	switch {
	case !slices.Contains(Filters(), c.name):
		return nil
	case c.hasArg && !takes:
		return fmt.Errorf("filter %s takes no argument, not %q", c.name, c.arg)
	case !c.hasArg && takes:
		return fmt.Errorf("filter %s needs an argument: %s", c.name, example(c.name))
	default:
		return nil
	}
}

// example shows how a filter that takes an argument is written.
func example(filter string) string {
	switch filter {
	case "last":
		return "last:4"
	case "default":
		return "default:none"
	case "time":
		return "time:rfc3339"
	case "zone":
		return "zone:America/Chicago"
	default:
		return "e164:1"
	}
}

// typed tells whether a filter makes JSON of its value.
func typed(name string) bool { return name == "number" || name == "json" || name == "bool" }

// ofText makes a filter of a function on text.
func ofText(f func(string) string) filter {
	return func(v Value) (Value, error) { return Value{String, f(v.text())}, nil }
}

// number gives a JSON number with the digits that came, null for an empty value.
func number(v Value) (Value, error) {
	digits := strings.TrimSpace(v.text())
	switch {
	case digits == "":
		return Value{JSON, "null"}, nil
	case isNumber(digits):
		return Value{JSON, digits}, nil
	default:
		return Value{}, fmt.Errorf("%s is not a JSON number", quote(v.Text))
	}
}

// isNumber tells whether s is a number as JSON writes it.
func isNumber(s string) bool {
	v := jsontext.Value(s)
	return (s[0] == '-' || '0' <= s[0] && s[0] <= '9') && v.IsValid()
}

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
		quoted := append([]byte{'"'}, appendString(nil, v.Text)...)
		return Value{JSON, string(append(quoted, '"'))}, nil
	case !jsontext.Value(v.Text).IsValid():
		return Value{}, fmt.Errorf("%s is not JSON", quote(v.Text))
	default:
		return Value{JSON, v.Text}, nil
	}
}

// newLast keeps the last characters of a text.
func newLast(arg string) (filter, error) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("last: %q is not a number of characters from 1", arg)
	}
	return ofText(func(s string) string {
		at := len(s)
		for range n {
			_, size := utf8.DecodeLastRuneInString(s[:at])
			at -= size
		}
		return s[at:]
	}), nil
}

// newDefault puts text in the place of an empty value.
func newDefault(text string) filter {
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
func newE164(country string) (filter, error) {
	if len(country) < 1 || len(country) > 3 || country[0] == '0' || !allDigits(country) {
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
