package call

import "slices"

// Names are the known events: those of the hosted product, then ours. Others
// are accepted too.
var Names = []string{
	"dequeue", "agent_connect", "agent_termination", "post_call", "post_disposition",
	"transfer_termination", "disposition", "call_start", "call_connect", "call_end",
	"queue_event", "ivr_digit", "new_chat", "post_chat", "agent_login", "agent_logout",
	"agent_state",
	"queue_enter", "queue_abandon", "recording_available", "relay_test",
}

// ScopeKinds are the kinds of scope an event may have, each the name of a member.
var ScopeKinds = []string{"queue", "campaign", "route", "number", "ivr", "chat_queue", "account"}

// KnownEvent reports whether name is one of [Names].
func KnownEvent(name string) bool {
	return slices.Contains(Names, name)
}

// Nearest returns the known word that a mistyped one most likely stands for,
// the first of those equally near; empty when none is near.
func Nearest(word string, known []string) string {
	nearest, least := "", max(len(word)/3, 1)+1
	for _, k := range known {
		if d := distance(word, k); d < least {
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
