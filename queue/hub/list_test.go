package hub

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestAssessEdges(t *testing.T) {
	at := func(name, id string, minutes int, linked bool) sighting {
		return sighting{EdgeReport: EdgeReport{Name: name, ID: id}, seen: time.Unix(int64(minutes)*60, 0), linked: linked}
	}
	for _, test := range []struct {
		name string
		seen []sighting
		want []string
	}{
		{"nobody", nil, nil},
		{"one that answers", []sighting{at("a", "1", 9, true)}, []string{"a 1 linked [] []"}},
		{"one that does not", []sighting{at("a", "1", 9, false)}, []string{"a 1 away [] []"}},
		{"one with another folder", []sighting{at("a", "1", 1, false), at("a", "2", 9, true)}, []string{"a 2 rebuilt [1] []"}},
		{"one with another folder again", []sighting{at("a", "1", 1, false), at("a", "2", 2, false), at("a", "3", 9, true)}, []string{"a 3 rebuilt [2 1] []"}},
		{"one that was rebuilt and is away", []sighting{at("a", "1", 1, false), at("a", "2", 9, false)}, []string{"a 2 away [1] []"}},
		{"one with another name", []sighting{at("a", "1", 1, false), at("b", "1", 9, true)}, []string{"b 1 renamed [] [a]"}},
		{"a name that went from one to another", []sighting{at("a", "1", 1, false), at("b", "1", 9, true), at("a", "2", 9, true)}, []string{"a 2 linked [] []", "b 1 renamed [] [a]"}},
		{"two of one name", []sighting{at("a", "1", 9, true), at("a", "2", 9, true)}, []string{"a 1 doubled [] []", "a 2 doubled [] []"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := map[[2]string]sighting{}
			for _, s := range test.seen {
				seen[[2]string{s.Name, s.ID}] = s
			}
			var got []string
			for _, e := range assess(seen) {
				var before []string
				for _, b := range e.Before {
					before = append(before, b.ID)
				}
				got = append(got, fmt.Sprintf("%s %s %s %v %v", e.Name, e.ID, e.State, before, e.Formerly))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestLetterSpan(t *testing.T) {
	s := LetterSpan{First: 3, Last: 12, Gaps: [][2]uint64{{5, 6}, {9, 9}}, Listed: true}
	var has []uint64
	for seq := range uint64(15) {
		if s.Has(seq) {
			has = append(has, seq)
		}
	}
	if want := []uint64{3, 4, 7, 8, 10, 11, 12, 13, 14}; !slices.Equal(has, want) {
		t.Errorf("got %v, want %v", has, want)
	}
	if !(LetterSpan{}).Has(1) {
		t.Error("a span that is not known leaves a letter out")
	}
}
