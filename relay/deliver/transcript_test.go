package deliver

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

func TestATranscriptHasEachMemberWhateverCameBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		value any
		want  []string
	}{
		{"an exchange", Exchange{}, []string{"at", "attempt", "class", "elapsed", "error", "id", "outcome", "request", "response", "seconds", "service"}},
		{"a request", ExchangeRequest{}, []string{"body", "headers", "method", "url"}},
		{"an answer", ExchangeResponse{}, []string{"body", "headers", "status"}},
	} {
		data, err := json.Marshal(test.value)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
