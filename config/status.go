package config

import (
	"strconv"
	"strings"
)

// A StatusSet is a set of HTTP statuses. The zero value is empty.
type StatusSet struct{ ranges []statuses }

// statuses are those from first to last, both included.
type statuses struct{ first, last int }

// Has reports whether the set holds a status.
func (s StatusSet) Has(code int) bool {
	for _, r := range s.ranges {
		if r.first <= code && code <= r.last {
			return true
		}
	}
	return false
}

// String returns the set as the file writes it: 2xx, 404.
func (s StatusSet) String() string {
	texts := make([]string, len(s.ranges))
	for i, r := range s.ranges {
		if texts[i] = strconv.Itoa(r.first); r.first != r.last {
			texts[i] = texts[i][:1] + "xx"
		}
	}
	return strings.Join(texts, ", ")
}

// parseStatus takes "2xx", "404" and 404.
func parseStatus(value any) (statuses, error) {
	text, _ := value.(string)
	if n, ok := value.(int64); ok {
		text = strconv.FormatInt(n, 10)
	}
	if class, ok := strings.CutSuffix(text, "xx"); ok && len(class) == 1 && class >= "1" && class <= "5" {
		n := int(class[0]-'0') * 100
		return statuses{n, n + 99}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 || n > 599 || len(text) != 3 {
		return statuses{}, errStatus
	}
	return statuses{n, n}, nil
}
