package printable

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestTextCannotCommandTheTerminal(t *testing.T) {
	for _, test := range []struct{ name, text, keep, want string }{
		{"plain text stays", "Zoë\u00a0", "", `Zoë\u00a0`},
		{"an escape sequence shows", "no such \x1b[31magent", "\n\t", `no such \x1b[31magent`},
		{"lines of a body stay", "a\n\tb", "\n\t", "a\n\tb"},
		{"lines in a table show", "a\nb", "", `a\nb`},
		{"a turned text shows", "\u202eexe", "", `\u202eexe`},
	} {
		if got := Text(test.text, test.keep); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestWriter(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain text", "{\"a\":\t1}\n", "{\"a\":\t1}\n"},
		{"other scripts", "Zoë 日本 😀\u00a0│→", "Zoë 日本 😀\u00a0│→"},
		{"C0", "a\x1b[31mb\rc\x00", `a\u001b[31mb\u000dc\u0000`},
		{"DEL and C1", "\x7f\u009b31m\u009d0;x", `\u007f\u009b31m\u009d0;x`},
		{"bidirectional marks", "\u202ea\u2066\u200f\u061c", `\u202ea\u2066\u200f\u061c`},
		{"tags", "\U000e0041", `\udb40\udc41`},
		{"bytes that are no text", "a\x9b31m\xff", "a\ufffd31m\ufffd"},
		{"a colour of our own", "\x1b[0m", "\x1b[0m"},
		{"the line ends of a body", "a\r\nb", "a\r\nb"},
	} {
		for size := 1; size <= 7; size += 3 {
			var b bytes.Buffer
			w := &Writer{To: &b, Keep: []string{"\x1b[0m"}}
			for part := []byte(test.text); len(part) > 0; {
				n := min(size, len(part))
				if strings.ContainsAny(test.want, "\x1b\r") {
					n = len(part) // what stays comes in one piece
				}
				if m, err := w.Write(part[:n]); m != n || err != nil {
					t.Fatalf("%s: Write = %d, %v", test.name, m, err)
				}
				part = part[n:]
			}
			if got := b.String(); got != test.want {
				t.Errorf("%s, %d bytes at a time: %q, want %q", test.name, size, got, test.want)
			}
		}
	}
}

// FuzzWriter shows that nothing a terminal acts on comes through, and that JSON
// means what it meant.
func FuzzWriter(f *testing.F) {
	f.Add("plain", 3)
	f.Add("\x1b[31m\u009b\x7f\u202e\U000e0041\xff", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size < 1 {
			return
		}
		encoded, err := json.Marshal(map[string]string{"a": text})
		if err != nil {
			t.Fatal(err)
		}
		var plain, object bytes.Buffer
		w := &Writer{To: &plain}
		for part := text; part != ""; {
			n := min(size, len(part))
			_, _ = w.Write([]byte(part[:n]))
			part = part[n:]
		}
		if i := strings.IndexFunc(strings.ReplaceAll(plain.String(), "\r\n", "  "), func(r rune) bool { return !unicode.IsGraphic(r) && r != '\n' && r != '\t' }); i >= 0 {
			t.Fatalf("%q comes through in %q", plain.String()[i:], text)
		}
		_, _ = (&Writer{To: &object}).Write(encoded)
		var before, after map[string]string
		if json.Unmarshal(encoded, &before) != nil || json.Unmarshal(object.Bytes(), &after) != nil || before["a"] != after["a"] {
			t.Fatalf("JSON %s became %s", encoded, object.Bytes())
		}
	})
}
