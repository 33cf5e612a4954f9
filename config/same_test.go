package config

import "testing"

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
