package render

import (
	"slices"
	"strings"
	"testing"
)

func TestLex(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		want []string // literals as they are, tags in braces
	}{
		{"nothing", "", nil},
		{"no tag", "plain", []string{"plain"}},
		{"one tag", "#ani#", []string{"{#ani#}"}},
		{"tags side by side", "#a##b#", []string{"{#a#}", "{#b#}"}},
		{"tag in text", "from #ani# to", []string{"from ", "{#ani#}", " to"}},
		{"dotted path", "#a.b-1.c_d#", []string{"{#a.b-1.c_d#}"}},
		{"letters of any script", "#größe#", []string{"{#größe#}"}},
		{"filters", "#a|upper|last:4#", []string{"{#a|upper|last:4#}"}},
		{"argument with colons", "#a|time:15:04:05#", []string{"{#a|time:15:04:05#}"}},
		{"two number signs are one", "a##b", []string{"a#b"}},
		{"three and a name are one and a tag", "###a#", []string{"#", "{#a#}"}},
		{"lone number sign", "room #5", []string{"room #5"}},
		{"number sign at the end", "c#", []string{"c#"}},
		{"two numbers in a text", "#5 and #6", []string{"#5 and #6"}},
		{"a literal one before a tag", "# #a#", []string{"# ", "{#a#}"}},
		{"telephone pattern", "###-###-####", []string{"##-##-##"}},
		{"tag does not cross a line", "#a|default:x\ny#", []string{"#a|default:x\ny#"}},
		{"empty part of a path", "#a..b# #.a# #a.#", []string{"#a..b# #.a# #a.#"}},
		{"name that begins with a hyphen", "#-a#", []string{"#-a#"}},
		{"spaces are not part of a name", "# a # #a b#", []string{"# a # #a b#"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, token := range lex(test.text) {
				if token.tag() {
					got = append(got, "{"+token.text+"}")
				} else {
					got = append(got, token.text)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("lex(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

func TestLexPlaces(t *testing.T) {
	const text = "é\n  #a|upper|time:15:04#"
	tag := lex(text)[1]
	if got := position(text, tag.offset); got != "2:3" {
		t.Errorf("the tag is at %s, want 2:3", got)
	}
	if got := position(text, tag.filters[1].offset); got != "2:12" {
		t.Errorf("the second filter is at %s, want 2:12", got)
	}
	if got := position(text, 1<<20); got != "2:23" {
		t.Errorf("an offset behind the end is at %s, want 2:23", got)
	}
}

func FuzzLex(f *testing.F) {
	for _, seed := range []string{"", "#", "##", "#a#", "#a|b:c#", "x#a.b|last:4|upper##", "#a\n#b#", "#é#\xff#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var back strings.Builder
		for _, token := range lex(text) {
			if token.tag() {
				back.WriteString(token.text)
			} else {
				back.WriteString(strings.ReplaceAll(token.text, "#", "##"))
			}
		}
		again := lex(back.String())
		if first := lex(text); len(again) != len(first) {
			t.Errorf("lex(%q) has %d tokens, lex(%q), which says the same, %d", text, len(first), back.String(), len(again))
		}
	})
}
