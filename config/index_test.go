package config

import (
	"fmt"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestIndex(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		want map[string]int
	}{
		{"keys and tables", "a = 1\n\n[b]\nc = 2 # d = 3\n  e=4", map[string]int{"a": 1, "b": 3, "b.c": 4, "b.e": 5, "b.d": 0, "d": 0}},
		{"arrays of tables", "[[s]]\na = 1\n[s.t]\nb = 1\n[[s]]\n\na = 1\n[s.t]\nb = 1\n[[s.u]]\n[[s.u]]\nc = 1", map[string]int{
			"s": 1, "s[0]": 1, "s[0].a": 2, "s[0].t": 3, "s[0].t.b": 4, "s[1]": 5, "s[1].a": 7, "s[1].t.b": 9, "s[1].u[0]": 10, "s[1].u[1].c": 12, "s[2]": 0,
		}},
		{"dotted keys", "a.b.c = 1\na . \"b\" . 'd' = 1\n[ e . f ]\ng.h = 1", map[string]int{"a": 1, "a.b": 1, "a.b.c": 1, "a.b.d": 2, "e.f": 3, "e.f.g.h": 4}},
		{"quoted keys", "\"a b\" = 1\n'c\"d' = 1\n\"\\u0065\\\"f\" = 1\n\"g.h\" = 1\n\"i]=#\" = 1", map[string]int{"a b": 1, `c"d`: 2, `e"f`: 3, "g.h": 4, "i]=#": 5}},
		{"inline tables", "a = { b = 1, c = { d = \"}\" }, e.f = [ { g = 1 } ] }\nh = 1", map[string]int{"a.b": 1, "a.c": 1, "a.c.d": 1, "a.e.f[0].g": 1, "h": 2}},
		{"inline tables over lines", "a = {\n  b = 1, # c = 1,\n  d = [\n    1,\n    { e = 1 },\n  ],\n}\nf = 1", map[string]int{
			"a": 1, "a.b": 2, "a.c": 0, "a.d": 3, "a.d[0]": 4, "a.d[1].e": 5, "f": 8,
		}},
		{"strings that look like keys", "a = \"x = 1 # \\\" b = 2\" # c\nd = 'e = \\'\nf = 1", map[string]int{"a": 1, "d": 2, "f": 3, "b": 0, "x": 0}},
		{"strings over lines", "a = \"\"\"\nb = 1\\\"\"\"\n\\\"\"\"\"\nc = '''\nd = 1\n\\''''\ne = 1", map[string]int{"a": 1, "b": 0, "c": 4, "d": 0, "e": 7}},
		{"CRLF and a byte order mark", "\xef\xbb\xbfa = 1\r\n[b]\r\nc = \"\"\"\r\n\"\"\"\r\nd = 1\r\n", map[string]int{"a": 1, "b": 2, "b.c": 3, "b.d": 5}},
		{"dates, numbers and nested lists", "a = 1979-05-27 07:32:00\nb = [[1, 2], [\"]\",\n3]]\nc = -1e3 # x\nd = 1", map[string]int{"a": 1, "b[1][0]": 2, "b[1][1]": 3, "c": 4, "d": 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := toml.Unmarshal([]byte(test.text), new(map[string]any)); err != nil {
				t.Fatal(err)
			}
			x := newIndex(test.text)
			for path, want := range test.want {
				if got := x.line(path); got != want {
					t.Errorf("line of %s = %d, want %d", path, got, want)
				}
			}
		})
	}
}

// indexed reports the keys of a decoded table that the index does not have.
func indexed(t *testing.T, x *index, path string, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			indexed(t, x, join(path, key), v)
		}
	case []map[string]any:
		for i, v := range value {
			indexed(t, x, element(path, i), v)
		}
	case []any:
		for i, v := range value {
			indexed(t, x, element(path, i), v)
		}
	}
	if path != "" && x.line(path) == 0 {
		t.Errorf("%s has no line", path)
	}
}

// FuzzIndex holds that the index has every key that the decoder finds.
func FuzzIndex(f *testing.F) {
	f.Add("a = 1\n[[b]]\nc.d = { e = [1, { f = '''\n''' }] }\n[b.\"g h\"]\n")
	f.Add("a = \"\"\"x\\\"\"\"\"\"\"\nb=[[],[{}]]")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, problem := parse("relay.toml", text)
		if problem == nil {
			indexed(t, parsed.index, "", parsed.values)
		}
		newIndex(text) // ends
	})
}

func ExampleProblem() {
	fmt.Println(Problem{File: "relay.toml", Line: 41, Text: `binding 2: service "crm2" is not defined (defined: billing, crm)`})
	// Output: relay.toml:41: binding 2: service "crm2" is not defined (defined: billing, crm)
}
