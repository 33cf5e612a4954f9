package web

import (
	"cmp"
	"maps"
	"slices"
)

// letterGroup are the dead letters of one service and reason.
type letterGroup struct {
	Service, Reason string
	Total           int
	Filter          Filter
	Errors          []letterError // most frequent first
}

// letterError is an error, and how many of the newest letters of a group have it.
type letterError struct {
	Text  string
	Count int
}

// groupLetters counts the letters that a filter by service and reason chooses,
// largest group first, and the errors of the newest of them.
func groupLetters(st Status, f Filter, newest []Letter) []letterGroup {
	groups := map[[2]string]*letterGroup{}
	add := func(service string, dead map[string]int) {
		for reason, n := range dead {
			if n > 0 && (f.Service == "" || f.Service == service) && (f.Reason == "" || f.Reason == reason) {
				groups[[2]string{service, reason}] = &letterGroup{Service: service, Reason: reason, Total: n, Filter: Filter{Service: service, Reason: reason}}
			}
		}
	}
	for _, s := range st.Services {
		add(s.Name, s.Dead)
	}
	for name, dead := range st.Gone {
		add(name, dead)
	}
	for _, l := range newest {
		if g := groups[[2]string{l.Service, l.Reason}]; g != nil {
			g.count(l.Error)
		}
	}
	list := make([]letterGroup, 0, len(groups))
	for g := range maps.Values(groups) {
		slices.SortStableFunc(g.Errors, func(a, b letterError) int { return cmp.Compare(b.Count, a.Count) })
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b letterGroup) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// shownErrors is how many errors of a group are shown apart.
const shownErrors = 5

func (g *letterGroup) count(text string) {
	for i := range g.Errors {
		if g.Errors[i].Text == text || i == shownErrors-1 {
			g.Errors[i].Count++
			return
		}
	}
	g.Errors = append(g.Errors, letterError{text, 1})
	if len(g.Errors) == shownErrors {
		g.Errors[shownErrors-1].Text = "other errors"
	}
}

// deadReasons are the reasons that there are letters of.
func deadReasons(st Status) []string {
	var reasons []string
	for _, s := range st.Services {
		reasons = slices.AppendSeq(reasons, maps.Keys(s.Dead))
	}
	for _, dead := range st.Gone {
		reasons = slices.AppendSeq(reasons, maps.Keys(dead))
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}
