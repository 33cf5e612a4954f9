package render

import "testing"

func TestScale(t *testing.T) {
	for _, test := range []struct {
		name, arg, value, want string
		bad                    bool
	}{
		{"seconds become milliseconds", "1000", "166.123", "166123", false},
		{"a fraction is rounded", "1", "166.5", "167", false},
		{"a whole number stays", "1", " 185 ", "185", false},
		{"milliseconds become seconds", "0.001", "1499", "1", false},
		{"nothing stays nothing", "1000", "", "", false},
		{"a text is no number", "1000", "x", "", true},
		{"a number too large to be exact", "1000", "1e300", "", true},
		{"not a number", "1", "NaN", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			scale, err := newScale(test.arg)
			if err != nil {
				t.Fatal(err)
			}
			got, err := scale(Value{String, test.value})
			if got.Text != test.want || (err != nil) != test.bad {
				t.Errorf("got %q, %v", got.Text, err)
			}
		})
	}
	for _, arg := range []string{"", "0", "x", "Inf", "NaN"} {
		if _, err := newScale(arg); err == nil {
			t.Errorf("scale:%s is taken", arg)
		}
	}
}
