package deliver

import (
	"testing"

	"callrelay/relay/call"
)

// TestGivenTags holds the tags that an attempt gives and the vocabulary together.
func TestGivenTags(t *testing.T) {
	for name := range given {
		if tag, known := call.Find(name); !known || tag.Given == call.ByEvent {
			t.Errorf("#%s# is given at each attempt, and the vocabulary does not say so", name)
		}
	}
	for _, name := range call.MadePerAttempt() {
		if given[name] == nil {
			t.Errorf("#%s# is given at each attempt, says the vocabulary, and is not", name)
		}
	}
	event := call.Event{ID: "e-1", ScopeKind: "queue", Scope: "support"}
	for _, tag := range call.Vocabulary() {
		if tag.Reserved && given[tag.Name] == nil && event.Lookup(tag.Name).Text == "" {
			t.Errorf("#%s# is reserved for the relay, which does not give it", tag.Name)
		}
	}
}
