package command

import "testing"

func TestProgressBarShowsHowMuchIsDone(t *testing.T) {
	for _, test := range []struct {
		name     string
		n, total int
		want     string
	}{
		{"nothing yet", 0, 3000, "[..............................] replayed 0 of 3000 "},
		{"a third", 1000, 3000, "[##########....................] replayed 1000 of 3000 "},
		{"all", 3000, 3000, "[##############################] replayed 3000 of 3000 "},
		{"nobody knows how many", 500, 0, "replayed 500 "},
		{"more came meanwhile", 11, 10, "replayed 11 "},
	} {
		if got := progressBar("replayed", test.n, test.total); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
