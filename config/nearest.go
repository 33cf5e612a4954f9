package config

import (
	"reflect"
	"slices"
	"strings"
)

// suggestKey says what a key that a table does not have may be meant to be: one of
// the service whose table it is, the nearest of the table's own, or any of them.
func suggestKey(at place, key string, table reflect.Type) string {
	if misplaced(at, key) {
		return "a key of [[service]]: move it above the table of " + at.key
	}
	if meant := elsewhere[key]; meant != "" && at.key == "" && strings.HasPrefix(at.path, "service[") {
		return "here: " + meant
	}
	return suggest(key, keysOf(table))
}

// elsewhere says of keys that other products have how a service says it here.
var elsewhere = map[string]string{
	"username": `auth = { basic = { user = "...", password = ... } }`,
	"user":     `auth = { basic = { user = "...", password = ... } }`,
	"password": `auth = { basic = { user = "...", password = ... } }`,
	"token":    `auth = { bearer = ... }`,
	"retries":  `retry_schedule is the pauses, max_age the end`,
	"body":     `one of params, json, xml, text, multipart, file`,
	"payload":  `one of params, json, xml, text, multipart, file`,
}

// suggest says what a word that is not known may be meant to be: the nearest
// known one, or all of them when none is near.
func suggest(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return "nearest: " + near
	}
	return "known: " + strings.Join(known, ", ")
}

// Nearest returns the known word that a mistyped one most likely stands for,
// the first of those equally near; empty when none is near.
func Nearest(word string, known []string) string {
	nearest, least := "", max(len(word)/3, 1)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < least {
			nearest, least = k, d
		}
	}
	return nearest
}

// distance counts the letters to add, drop, change or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// sorted returns the words in order, each once, for the end of a problem.
func sorted(words []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), ", ")
}
