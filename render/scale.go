package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

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
