package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The words for how a relay is, from good to bad. Its first line, the page,
// /healthz?details and the metric relay_state all say the same one.
const (
	Healthy   = "healthy"
	Degraded  = "degraded"  // something is not as it should be
	HeldUp    = "held up"   // deliveries to some service are not made
	Unhealthy = "unhealthy" // no events are taken
)

// Verdicts returns the words, from good to bad.
func Verdicts() []string { return []string{Healthy, Degraded, HeldUp, Unhealthy} }

// A Trouble is one thing that is not as it should be.
type Trouble struct {
	Verdict string    `json:"verdict"`
	Of      string    `json:"of"`               // the service or source, or part of the relay
	What    string    `json:"what"`             // in few words
	Since   time.Time `json:"since,omitzero"`   // zero: not known
	Owed    int       `json:"owed,omitempty"`   // deliveries that it holds up
	Try     string    `json:"try,omitempty"`    // what may be wrong with the endpoint, or its service
	Do      string    `json:"do"`               // what helps
	Service bool      `json:"service,omitzero"` // whether Of is a service
	Verb    string    `json:"-"`                // of the button of the page that helps: resume or probe; empty: none does
}

// Judge sets the verdict and the troubles of a status from all else in it.
func (s *Status) Judge() {
	s.Troubles = slices.Concat(s.ownTroubles(), s.serviceTroubles(), s.sourceTroubles())
	slices.SortStableFunc(s.Troubles, func(a, b Trouble) int { return cmp.Compare(b.rank(), a.rank()) })
	s.State = Healthy
	if len(s.Troubles) > 0 {
		s.State = s.Troubles[0].Verdict
	}
}

// rank is how bad a trouble is.
func (t Trouble) rank() int { return slices.Index(Verdicts(), t.Verdict) }

// ownTroubles are those of the relay itself.
func (s *Status) ownTroubles() []Trouble {
	var list []Trouble
	add := func(applies bool, t Trouble) {
		if applies {
			list = append(list, t)
		}
	}
	add(!s.Healthy, Trouble{Verdict: Unhealthy, Of: "queue", What: s.Problem, Do: "relay doctor"})
	add(s.Healthy && !s.Ready, Trouble{Verdict: Degraded, Of: "intake", What: "takes no events", Do: "relay is stopping, or see the log"})
	add(s.Degraded != "", Trouble{Verdict: Degraded, Of: "queue", What: s.Degraded, Do: "relay doctor"})
	add(s.Queue.Lost > 0, Trouble{Verdict: Degraded, Of: "queue", What: counted(s.Queue.Lost, "record") + " lost with streams that somebody deleted", Do: "relay doctor"})
	add(s.Queue.High, Trouble{Verdict: Degraded, Of: "queue", What: "near queue.max_bytes: the oldest deliveries overflow", Do: "mend what is held up, or raise queue.max_bytes"})
	add(!s.Config.Success, Trouble{Verdict: Degraded, Of: "configuration", What: "the last reload was refused", Since: s.Config.LastReload, Do: "relay check"})
	return list
}

// serviceTroubles are what is held up, most owed first, and dead letters that
// came since they were last looked at.
func (s *Status) serviceTroubles() []Trouble {
	var held, dead []Trouble
	for _, one := range s.Services {
		if t, ok := heldUp(one); ok {
			held = append(held, t)
		}
		if one.NewDead > 0 {
			dead = append(dead, Trouble{
				Verdict: Degraded, Of: one.Name, Service: true, What: counted(one.NewDead, "new dead letter") + ": " + strings.Join(sortedKeys(one.Dead), ", "),
				Do: "relay dead list --service " + one.Name,
			})
		}
	}
	slices.SortStableFunc(held, func(a, b Trouble) int { return cmp.Compare(b.Owed, a.Owed) })
	return append(held, dead...)
}

// heldUp is what keeps the deliveries to a service from being made.
func heldUp(s Service) (Trouble, bool) {
	t := Trouble{Verdict: HeldUp, Of: s.Name, Service: true, Owed: s.Owed(), Since: s.Failing}
	switch {
	case s.State == "paused":
		t.What, t.Do, t.Verb = "paused", "relay resume "+s.Name, "resume"
		if s.Why != "" {
			t.What += ": " + s.Why
		}
	case s.State == "orphaned":
		t.What, t.Since = "no longer in relay.toml", s.Oldest
		t.Do = "put it back and reload, or relay drop " + s.Name
	case s.HeldBy != "":
		t.What, t.Verb, t.Do = s.HeldBy, "probe", "mend the endpoint; then at once: relay probe "+s.Name
	case s.State == "active" && !s.Failing.IsZero() && s.Owed() > 0:
		t.What, t.Verb, t.Do = "attempts fail", "probe", "mend the endpoint; then at once: relay probe "+s.Name
	default:
		return Trouble{}, false
	}
	if s.LastError != "" && s.State == "active" {
		t.What += ": " + s.LastError
		t.Try = Advice(s.LastStatus, s.LastError)
	}
	return t, true
}

func (s *Status) sourceTroubles() []Trouble {
	var list []Trouble
	for _, one := range s.Sources {
		if one.State != "connected" {
			list = append(list, Trouble{Verdict: Degraded, Of: one.Name, What: "source " + one.State + ": " + one.LastError, Since: one.Since, Do: "relay help callservers"})
		}
	}
	return list
}

// Line says the verdict in one line, with the worst trouble.
func (s *Status) Line(now time.Time) string {
	if s.State == Healthy {
		return Healthy
	}
	line := s.State + ": " + s.Troubles[0].Line(now)
	if more := len(s.Troubles) - 1; more > 0 {
		line += fmt.Sprintf("; %d more", more)
	}
	return line
}

// Line says a trouble in one line, without what helps.
func (t Trouble) Line(now time.Time) string {
	line := t.Of + ", " + t.What
	if !t.Since.IsZero() {
		line += ", for " + Age(t.Since, now)
	}
	if t.Owed > 0 {
		line += ", " + counted(t.Owed, "delivery waits", "deliveries wait")
	}
	return line
}

// counted is a number and what it counts; many is the plural, where it is not
// the singular with an s.
func counted(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) == 1:
		return Thousands(n) + " " + many[0]
	default:
		return Thousands(n) + " " + one + "s"
	}
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for key, n := range m {
		if n > 0 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// byTrouble are the services, those in trouble first, in the order of the
// troubles, then the others by name.
func (s *Status) byTrouble() []Service {
	rank := map[string]int{}
	for i, t := range s.Troubles {
		if _, known := rank[t.Of]; t.Service && !known {
			rank[t.Of] = i - len(s.Troubles)
		}
	}
	list := slices.Clone(s.Services)
	slices.SortStableFunc(list, func(a, b Service) int {
		return cmp.Or(cmp.Compare(rank[a.Name], rank[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	return list
}
