package render

import (
	"strings"
	"testing"
	"time"
)

func TestURL(t *testing.T) {
	event := map[string]Value{"q": {String, "a/b c&d?é"}, "e": {String, ""}}
	for _, test := range []struct {
		name string
		spec Spec
		want string
	}{
		{"fixed", Spec{URL: "http://example.com"}, "http://example.com"},
		{"kept as written", Spec{URL: "https://u:p@example.com:8443/a/./%41//b/?x=%20&y;z=[1]"}, "https://u:p@example.com:8443/a/./%41//b/?x=%20&y;z=%5B1%5D"},
		{"made sendable", Spec{URL: "https://example.com/é b?x=<>"}, "https://example.com/%C3%A9%20b?x=%3C%3E"},
		{"tag in the path", Spec{URL: "https://example.com/x#q#y/z"}, "https://example.com/xa%2Fb%20c%26d%3F%C3%A9y/z"},
		{"tag in the query", Spec{URL: "https://example.com?x=#q#&y=1"}, "https://example.com?x=a%2Fb%20c%26d%3F%C3%A9&y=1"},
		{"tag as a name in the query", Spec{URL: "https://example.com?#q#"}, "https://example.com?a%2Fb%20c%26d%3F%C3%A9"},
		{"question mark in the query", Spec{URL: "https://example.com/?a?#e#?b"}, "https://example.com/?a??b"},
		{"empty segment", Spec{URL: "https://example.com/#e#/x"}, "https://example.com//x"},
		{"query added", Spec{URL: "https://example.com/p", Query: []Field{{"a b", "#q#"}, {"c", "x y"}}}, "https://example.com/p?a%20b=a%2Fb%20c%26d%3F%C3%A9&c=x%20y"},
		{"query added to a query", Spec{URL: "https://example.com/p?z=1", Query: []Field{{"a", "1"}}}, "https://example.com/p?z=1&a=1"},
		{"query added to an empty one", Spec{URL: "https://example.com?", Query: []Field{{"a", "1"}}}, "https://example.com?a=1"},
		{"query added behind an ampersand", Spec{URL: "https://example.com?z&", Query: []Field{{"a", "1"}}}, "https://example.com?z&a=1"},
		{
			"query, then the params of a GET",
			Spec{Method: "GET", URL: "https://example.com?z=1", Query: []Field{{"a", "1"}}, Body: "params", Params: []Field{{"b", "#e#"}}},
			"https://example.com?z=1&a=1&b=",
		},
		{"params of a POST stay away", Spec{URL: "https://example.com", Body: "params", Params: []Field{{"b", "1"}}}, "https://example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := render(t, test.spec, event).URL; got != test.want {
				t.Errorf("URL = %s, want %s", got, test.want)
			}
		})
	}
}

func TestURLDots(t *testing.T) {
	for _, test := range []struct {
		name, url, value string
		refused          bool
	}{
		{"one dot", "https://example.com/a/#x#/b", ".", true},
		{"two dots", "https://example.com/a/#x#", "..", true},
		{"two dots before a query", "https://example.com/#x#?a=1", "..", true},
		{"dots in parts", "https://example.com/.#x#/b", ".", true},
		{"dots in two tags", "https://example.com/#x##x#", ".", true},
		{"dot behind an escaped one", "https://example.com/%2E#x#/b", ".", true},
		{"nothing behind a dot", "https://example.com/.#x#/b", "", true},
		{"escaped dots are text", "https://example.com/#x#", "%2e%2e", false},
		{"three dots", "https://example.com/#x#", "...", false},
		{"dots and a slash are one segment", "https://example.com/#x#", "../x", false},
		{"dots beside text", "https://example.com/a#x#", "..", false},
		{"dots in the query", "https://example.com/?#x#", "..", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := compile(t, Spec{URL: test.url})
			req, err := template.Render(func(string) Value { return Value{String, test.value} }, time.Time{})
			if refused := err != nil; refused != test.refused {
				t.Errorf("URL = %s, error = %v, want refused: %v", req.URL, err, test.refused)
			}
			if err != nil && !strings.Contains(err.Error(), "which leads elsewhere") {
				t.Errorf("error = %v", err)
			}
		})
	}
}
