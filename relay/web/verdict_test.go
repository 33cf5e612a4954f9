package web

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	now := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	well := func(more func(*Status)) Status {
		st := Status{Healthy: true, Ready: true, Config: Config{Success: true}, Services: []Service{{Name: "crm", State: "active", Breaker: "closed"}}}
		more(&st)
		return st
	}
	for _, test := range []struct {
		name string
		st   Status
		want string // the first line
		do   string // of the first trouble
	}{
		{"all is well", well(func(*Status) {}), "healthy", ""},
		{"a failing endpoint whose breaker is still closed", well(func(st *Status) {
			st.Services[0] = Service{Name: "crm", State: "active", Breaker: "closed", Retrying: 1, Failing: now.Add(-time.Minute), LastError: "status 503"}
		}), "held up: crm, attempts fail: status 503, for 1m00s, 1 delivery waits", "mend the endpoint; then at once: relay probe crm"},
		{"an open breaker", well(func(st *Status) {
			st.Services[0] = Service{Name: "crm", State: "active", Breaker: "open", HeldBy: "breaker open", Waiting: 1204, Failing: now.Add(-2 * time.Hour), LastError: "connection refused"}
		}), "held up: crm, breaker open: connection refused, for 2h00m, 1,204 deliveries wait", "mend the endpoint; then at once: relay probe crm"},
		{"one that failed and owes nothing more", well(func(st *Status) {
			st.Services[0] = Service{Name: "crm", State: "active", Breaker: "closed", Failing: now}
		}), "healthy", ""},
		{"a pause by the endpoint", well(func(st *Status) {
			st.Services[0] = Service{Name: "crm", State: "paused", HeldBy: "paused", Why: "its endpoint answered 410 Gone", Waiting: 2}
		}), "held up: crm, paused: its endpoint answered 410 Gone, 2 deliveries wait", "relay resume crm"},
		{"an orphan", well(func(st *Status) {
			st.Services[0] = Service{Name: "crm", State: "orphaned", HeldBy: "orphaned", Waiting: 2, Oldest: now.Add(-time.Hour)}
		}), "held up: crm, no longer in relay.toml, for 1h00m, 2 deliveries wait", "put it back and reload, or relay drop crm"},
		{"letters that nobody has looked at", well(func(st *Status) {
			st.Services[0].Dead, st.Services[0].NewDead = map[string]int{"rejected": 354, "render": 1, "expired": 0}, 3
		}), "degraded: crm, 3 new dead letters: rejected, render", "relay dead list --service crm"},
		{"letters that somebody has looked at", well(func(st *Status) { st.Services[0].Dead = map[string]int{"rejected": 354} }), "healthy", ""},
		{"a source that is away", well(func(st *Status) {
			st.Sources = []Source{{Name: "pbx1", State: "disconnected", LastError: "connection refused"}}
		}), "degraded: pbx1, source disconnected: connection refused", "relay help callservers"},
		{"a refused reload", well(func(st *Status) { st.Config.Success, st.Config.LastReload = false, now.Add(-time.Hour) }), "degraded: configuration, the last reload was refused, for 1h00m", "relay check"},
		{"a queue that cannot work, before all else", well(func(st *Status) {
			st.Healthy, st.Problem = false, "disk full"
			st.Services[0] = Service{Name: "crm", State: "paused", HeldBy: "paused"}
		}), "unhealthy: queue, disk full; 1 more", "relay doctor"},
		{"the service with most first", well(func(st *Status) {
			st.Services = []Service{{Name: "a", State: "paused", HeldBy: "paused", Waiting: 1}, {Name: "b", State: "paused", HeldBy: "paused", Waiting: 7}}
		}), "held up: b, paused, 7 deliveries wait; 1 more", "relay resume b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.st.Judge()
			if got := test.st.Line(now); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.do == "" {
				if len(test.st.Troubles) > 0 {
					t.Errorf("got troubles %v, want none", test.st.Troubles)
				}
				return
			}
			if got := test.st.Troubles[0].Do; got != test.do {
				t.Errorf("what helps: got %q, want %q", got, test.do)
			}
		})
	}
}

func TestThousands(t *testing.T) {
	var got []string
	for _, n := range []int{0, 7, 999, 1000, 123456, 1234567, -1000, -999} {
		got = append(got, Thousands(n))
	}
	if want := "0 7 999 1,000 123,456 1,234,567 -1,000 -999"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestVerdictsGoFromGoodToBad(t *testing.T) {
	if got := strings.Join(Verdicts(), ", "); got != "healthy, degraded, held up, unhealthy" {
		t.Errorf("the verdicts are %s", got)
	}
}

func TestKnownServices(t *testing.T) {
	many := make([]string, 25)
	for i := range many {
		many[i] = fmt.Sprintf("service-%02d", i)
	}
	for _, test := range []struct {
		name, service string
		known         []string
		want          string
	}{
		{"one of them", "crm", []string{"billing", "crm"}, ""},
		{"a slip", "crn", []string{"billing", "crm"}, `no such service: "crn" (did you mean "crm"? known: billing, crm)`},
		{"like none", "quality", []string{"billing", "crm"}, `no such service: "quality" (known: billing, crm)`},
		{"where there is none", "crm", nil, `no such service: "crm" (none is configured)`},
		{"not more than a screen", "crm", many, `no such service: "crm" (known: ` + strings.Join(many[:20], ", ") + " and 5 more)"},
	} {
		if err := KnownService(test.service, test.known); fmt.Sprint(err) != cmp.Or(test.want, "<nil>") || err != nil && !errors.Is(err, ErrNoService) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}
