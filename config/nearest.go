package config

import (
	"slices"
	"strings"
)

// suggest says what a key that is not known may be meant to be: the nearest
// known one, or all of them when none is near.
func suggest(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return "nearest: " + near
	}
	return "known: " + strings.Join(known, ", ")
}

// nearest returns the known word with the fewest letters to change, or "" when
// that is more than two of them and more than a third, or all.
func nearest(word string, known []string) string {
	best, least := "", min(max(2, len(word)/3)+1, len(word))
	for _, k := range known {
		if n := distance(strings.ToLower(word), k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance is how many letters to add, drop or change make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// sorted returns the words in order, each once, for the end of a problem.
func sorted(words []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), ", ")
}
