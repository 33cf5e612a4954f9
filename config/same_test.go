package config

import (
	"reflect"
	"strings"
	"testing"
)

// TestALabelChangesNothingThatIsSent: a service that is renamed or put elsewhere
// keeps its connections, and what its endpoint refused.
func TestALabelChangesNothingThatIsSent(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*Service){
		"name":        func(s *Service) { s.Name = "other" },
		"description": func(s *Service) { s.Description = "other" },
		"group":       func(s *Service) { s.Group = "other" },
		"active":      func(s *Service) { s.Active = !s.Active },
	} {
		one := &Service{Name: "crm", URL: "http://127.0.0.1/"}
		other := *one
		change(&other)
		if !SameRequest(one, &other) || !SameConnection(one, &other) {
			t.Errorf("%s: it sends the same: %v, over the same connections: %v", what, SameRequest(one, &other), SameConnection(one, &other))
		}
	}
	moved := &Service{Name: "crm", URL: "http://127.0.0.2/"}
	if SameRequest(&Service{Name: "crm", URL: "http://127.0.0.1/"}, moved) {
		t.Error("another address is taken for the same")
	}
}

// TestWhatAKeyDecides holds what a change of each key of a service touches: nothing
// that is sent, when it is sent, what, over how many connections, or all of it.
func TestWhatAKeyDecides(t *testing.T) {
	got := map[string]string{}
	for field := range reflect.TypeFor[Service]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
		part := field.Tag.Get("part")
		got[part] = strings.TrimSpace(got[part] + " " + key)
	}
	for part, want := range map[string]string{
		"label":    "name description group active debug",
		"schedule": "order rate retry_schedule max_age breaker",
		"request": "type method url headers secrets query params json xml text multipart file content_type timezone " +
			"all_script_data mappings missing recording_access success success_body retry_on signing soap",
		"connection": "concurrency",
		"":           "timeout max_response max_rate keep_alive proxy allow_private auth tls",
	} {
		if got[part] != want {
			t.Errorf("of the part %q are %s, want %s", part, got[part], want)
		}
	}
}
