package daemon

import (
	"slices"
	"strings"

	"callrelay/config"
	"callrelay/relay/deliver"
	"callrelay/relay/route"
	"callrelay/relay/web"
)

// plan reports what a reload would do now, and changes nothing.
func (p operator) plan() web.Plan {
	p.reloader.mu.Lock()
	defer p.reloader.mu.Unlock()
	next, err := Look(p.path)
	if err != nil {
		return web.Plan{Problems: problemTexts(err)}
	}
	before, after := p.table().Config, next.Config
	plan := web.Plan{
		Success: true, Fingerprint: after.Fingerprint(), Warnings: ProblemLines(next.Warnings),
		Services: difference(before.Services, after.Services, func(s *config.Service) string { return s.Name }),
		Sources:  difference(before.Sources, after.Sources, func(s *config.Source) string { return s.Name }),
		Settings: p.applied(before, after),
		Restart:  p.restart(after),
		Held:     map[string]int{}, Freed: map[string]int{}, Orphaned: map[string]int{},
	}
	for _, s := range p.deliver.Status() {
		p.planDeliveries(&plan, s, next.Table.Service(s.Name))
	}
	return plan
}

// applied are the keys that differ and that count at once, services and sources
// apart; of bindings and mappings only that they differ.
func (p operator) applied(before, after *config.Config) []string {
	var keys []string
	for _, key := range config.Changes(before, after) {
		table, _, _ := strings.Cut(key, "[")
		section, _, _ := strings.Cut(table, ".")
		switch {
		case section == "service" || section == "source" || section == "defaults" || !p.claims(key):
			continue
		case section == "binding" || section == "mapping":
			key = section
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// planDeliveries says what a reload does to the deliveries that a service has
// now. After it the service is as next says, nil: it is no more.
func (p operator) planDeliveries(plan *web.Plan, s deliver.Status, next *route.Service) {
	owed := s.Owed()
	if owed == 0 {
		return
	}
	orphan := s.State == deliver.StateOrphaned
	held := s.State != deliver.StateActive
	_, paused := p.deliver.Paused(s.Name)
	switch {
	case next == nil && !orphan:
		plan.Orphaned[s.Name] = owed
	case next == nil:
	case !next.Active || paused:
		if !held || orphan {
			plan.Held[s.Name] = owed
		}
	case held:
		plan.Freed[s.Name] = owed
	}
}

// difference compares two lists by name, and each element with its like.
func difference[T config.Service | config.Source](before, after []T, name func(*T) string) web.Difference {
	var d web.Difference
	was := map[string]*T{}
	for i := range before {
		was[name(&before[i])] = &before[i]
	}
	for i := range after {
		old, ok := was[name(&after[i])]
		delete(was, name(&after[i]))
		switch {
		case !ok:
			d.Added = append(d.Added, name(&after[i]))
		case len(config.Changes(old, &after[i])) > 0:
			d.Changed = append(d.Changed, name(&after[i]))
		}
	}
	for i := range before {
		if _, ok := was[name(&before[i])]; ok {
			d.Gone = append(d.Gone, name(&before[i]))
		}
	}
	return d
}
