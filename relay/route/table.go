package route

import (
	"callrelay/config"
	"callrelay/relay/call"
	"callrelay/render"
)

// Table is a compiled configuration. It is immutable and safe for concurrent use.
type Table struct {
	Config  *config.Config
	OwnTags []string // of templates and conditions; only the operator's own events bring them, by name

	services []*Service
	byName   map[string]*Service
	byEvent  map[string]*event
}

// Service is a service of the configuration with its compiled template.
type Service struct {
	config.Service
	Template           *render.Template
	Endpoint           string // the URL as written, tags unexpanded
	UsesRecording      bool   // the template speaks of the recording
	Carries            bool   // the body holds a recording
	UsesAgentRecording bool   // the template links the dual-channel recording
	Index              int    // its place in the file
}

// Compile makes the table of a configuration. The table is nil when there are
// errors. Errors and warnings are in file order each.
func Compile(c *config.Config) (t *Table, errors, warnings []config.Problem) {
	t = &Table{Config: c, byName: make(map[string]*Service, len(c.Services))}
	for i := range c.Services {
		s, problems := compileService(c, i)
		errors = append(errors, problems...)
		t.services = append(t.services, s)
		t.byName[s.Name] = s
	}
	errors = append(errors, unraised(c)...)
	if len(errors) > 0 {
		config.Sort(errors)
		return nil, errors, nil
	}
	t.byEvent = bind(c.Bindings, t.byName)
	warnings, t.OwnTags = t.look()
	return t, nil, warnings
}

// Owed returns the active services that an event is owed to, each once, in the
// order of the file. The slice must not be changed.
func (t *Table) Owed(e *call.Event) []*Service {
	return t.byEvent[e.Name].owed(e)
}

// Service returns the service with a name, or nil when there is none.
func (t *Table) Service(name string) *Service {
	return t.byName[name]
}

// Services returns all services in the order of the file. The slice must not be
// changed.
func (t *Table) Services() []*Service {
	return t.services
}
