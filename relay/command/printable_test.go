package command

import "testing"

func TestVisibleTextCannotCommandTheTerminal(t *testing.T) {
	for _, test := range []struct{ name, text, keep, want string }{
		{"plain text stays", "Zoë\u00a0", "", `Zoë\u00a0`},
		{"an escape sequence shows", "no such \x1b[31magent", "\n\t", `no such \x1b[31magent`},
		{"lines of a body stay", "a\n\tb", "\n\t", "a\n\tb"},
		{"lines in a table show", "a\nb", "", `a\nb`},
		{"a turned text shows", "\u202eexe", "", `\u202eexe`},
	} {
		if got := visible(test.text, test.keep); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
