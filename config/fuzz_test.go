package config

import (
	"slices"
	"strings"
	"testing"
)

// FuzzLoad holds that any bytes are judged without a panic, and that what is
// found has a line of the file and stands in its order.
func FuzzLoad(f *testing.F) {
	f.Add(example(f))
	f.Add(strings.ReplaceAll(secretive, "hunter2", "x"))
	for _, test := range problemTests {
		f.Add(test.file)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "create") {
			t.Skip("it may write files")
		}
		found := judge(text)
		last := strings.Count(text, "\n") + 1
		for _, p := range found {
			if p.Line < 0 || p.Line > last || p.Text == "" {
				t.Errorf("problem %q of a file of %d lines", p, last)
			}
		}
		if !slices.IsSortedFunc(found, func(a, b Problem) int { return a.Line - b.Line }) {
			t.Errorf("problems are not in file order: %v", found)
		}
	})
}

// judge returns the problems of a text.
func judge(text string) []Problem {
	f, problem := parse("relay.toml", text)
	if problem != nil {
		return []Problem{*problem}
	}
	c, problems := f.config()
	c.Fingerprint()
	Changes(c, c)
	return problems
}
