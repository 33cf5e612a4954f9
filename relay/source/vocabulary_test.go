package source

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	callevent "callrelay/relay/call"
)

// TestMembersAreTags finds a member that the vocabulary does not know.
func TestMembersAreTags(t *testing.T) {
	known := map[string]bool{"id": true}
	for _, tag := range slices.Concat(callevent.Vocabulary(), callevent.OperationalVocabulary()) {
		known[tag.Name] = true
	}
	for _, event := range []any{Record{}, Gap{}} {
		for field := range reflect.TypeOf(event).Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !known[name] {
				t.Errorf("%T has the member %q, which is no tag", event, name)
			}
		}
	}
}
