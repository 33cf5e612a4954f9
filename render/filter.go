package render

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// transform turns one value into another.
type transform func(Value) (Value, error)

// A Filter turns the value of a tag into another.
type Filter struct {
	Name    string
	Example string // as it is written behind the bar; with a colon when it takes an argument
	Text    string

	typed bool                                // it makes JSON of its value, and so comes last
	step  func(arg string) (transform, error) // nil: it sets the time's form instead
	set   func(i *instant, arg string) error  // nil: it is a step
}

// filters are all there are. Each is made by one of the functions below, which
// want its own function.
var filters = []Filter{
	typedFilter("number", "a JSON number with the digits that came; null when empty", number),
	typedFilter("json", "the JSON that came, objects and arrays too; null when empty", asJSON),
	typedFilter("bool", "true (true yes on 1) or false (false no off 0); null when empty", boolean),
	textFilter("upper", "upper case", strings.ToUpper),
	textFilter("lower", "lower case", strings.ToLower),
	textFilter("trim", "without spaces around it", strings.TrimSpace),
	filterWith("last:4", "the last characters", newLast),
	filterWith("default:none", "this text when empty", newDefault),
	timeFilter("time:rfc3339", "a time as rfc3339, unix, unixms, ansi or in a Go layout such as 2006-01-02 15:04:05", (*instant).setLayout),
	timeFilter("zone:America/Chicago", "a time in this zone", (*instant).setZone),
	filterWith("e164:1", "a telephone number as + and digits; the argument is its country code when it has none", newE164),
	filterWith("scale:1000", "a number times this, rounded to a whole one; empty when empty", newScale),
	textFilter("url", "escaped for a URL or a form within another text", urlInner),
	textFilter("base64", "in Base64", base64Inner),
	{Name: "xml", Example: "xml", Text: "escaped for an XML document within another text", step: xmlInner},
	filterWith("map:SALE=1,*=0", "another text for a whole value; * is any other value", newMap),
	{Name: "omit", Example: "omit", Text: "the JSON member, form value, header or XML element is left out when absent", step: func(string) (transform, error) { return ofValue, nil }},
	{Name: "hmac", Example: "hmac:NAME", Text: "the HMAC-SHA256 with that one of [service.secrets], in hexadecimal, or hmac:NAME:base64; of the request's body as #body|hmac:NAME#", step: func(arg string) (transform, error) { return newHMAC(arg, nil) }},
	textFilter("sha256", "the SHA-256 in hexadecimal; empty when empty", digest),
}

// Filters returns all filters.
func Filters() []Filter { return slices.Clone(filters) }

// textFilter makes a filter of a function on text.
func textFilter(name, text string, f func(string) string) Filter {
	return Filter{Name: name, Example: name, Text: text, step: func(string) (transform, error) { return ofText(f), nil }}
}

// typedFilter is a filter that makes JSON of a value.
func typedFilter(name, text string, f transform) Filter {
	return Filter{Name: name, Example: name, Text: text, typed: true, step: func(string) (transform, error) { return f, nil }}
}

// filterWith is a filter that takes an argument.
func filterWith(example, text string, f func(arg string) (transform, error)) Filter {
	name, _, _ := strings.Cut(example, ":")
	return Filter{Name: name, Example: example, Text: text, step: f}
}

// timeFilter is a filter that says how a time is written.
func timeFilter(example, text string, f func(*instant, string) error) Filter {
	name, _, _ := strings.Cut(example, ":")
	return Filter{Name: name, Example: example, Text: text, set: f}
}

// takesArgument reports whether the filter is written with one.
func (f Filter) takesArgument() bool { return strings.Contains(f.Example, ":") }

// unknownFilter is the name of a filter that there is not.
type unknownFilter string

func (name unknownFilter) Error() string {
	known := make([]string, len(filters))
	for i, f := range filters {
		known[i] = f.Name
	}
	return fmt.Sprintf("filter %q is not known (known: %s)", string(name), strings.Join(known, " "))
}

// find looks up the filter that was written, and refuses an argument where none
// is taken, and a missing one.
func find(i invocation) (Filter, error) {
	at := slices.IndexFunc(filters, func(f Filter) bool { return f.Name == i.name })
	if at < 0 {
		return Filter{}, unknownFilter(i.name)
	}
	f := filters[at]
	switch {
	case i.hasArg && !f.takesArgument():
		return f, fmt.Errorf("filter %s takes no argument, not %q", i.name, i.arg)
	case !i.hasArg && f.takesArgument():
		return f, fmt.Errorf("filter %s needs an argument, as in %s", i.name, f.Example)
	}
	return f, nil
}

func ofValue(v Value) (Value, error) { return v, nil }

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
func newDefault(text string) (transform, error) {
	return func(v Value) (Value, error) {
		if v.text() == "" {
			return Value{String, text}, nil
		}
		return v, nil
	}, nil
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

// newScale makes a whole number of a number: so many times it, rounded to the
// nearest. Seconds become milliseconds with scale:1000, and lose their fraction
// with scale:1.
func newScale(arg string) (transform, error) {
	factor, err := strconv.ParseFloat(arg, 64)
	if err != nil || factor == 0 || math.IsInf(factor, 0) || math.IsNaN(factor) {
		return nil, fmt.Errorf("scale: %q is not a number other than 0", arg)
	}
	return func(v Value) (Value, error) {
		text := strings.TrimSpace(v.text())
		if text == "" {
			return Value{String, ""}, nil
		}
		n, err := strconv.ParseFloat(text, 64)
		if n = math.Round(n * factor); err != nil || math.Abs(n) > 1<<53 || math.IsNaN(n) {
			return Value{}, fmt.Errorf("%s is not a number that can be scaled", quote(v.Text))
		}
		return Value{String, strconv.FormatFloat(n, 'f', 0, 64)}, nil
	}, nil
}
