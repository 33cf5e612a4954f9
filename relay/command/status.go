package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"callrelay/queue"
	"callrelay/relay/deliver"
	"callrelay/relay/web"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON, hub, quiet bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the running relay: its services, what waits, what is wrong",
		Long: "Show the running relay: its services, what waits, what is wrong.\n\nA service is" + stateList(deliver.ServiceStates()) +
			"\n\nIts breaker is" + stateList(deliver.BreakerStates()),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if hub {
				return a.hubStatus(cmd.Context(), asJSON)
			}
			if quiet {
				return a.alive(cmd.Context())
			}
			return a.status(cmd.Context(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print nothing; fail unless a relay runs whose queue can work")
	cmd.Flags().BoolVar(&hub, "hub", false, "the edges of the hub that [queue.hub] names, in place of this relay")
	return cmd
}

func stateList(states []deliver.State) string {
	return glossary(states, func(s deliver.State) (name, text string) { return s.Name, s.Text })
}

// alive is for those who watch a process, such as a container engine.
func (a *app) alive(ctx context.Context) error {
	st, err := a.client().Status(ctx)
	if err == nil && !st.Healthy {
		err = errors.New(st.Problem)
	}
	return err
}

func (a *app) status(ctx context.Context, asJSON bool) error {
	st, err := a.client().Status(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return jsonTo(a.out, "  ").Encode(st)
	}
	a.printStatus(st, time.Now())
	return nil
}

func (a *app) printStatus(st web.Status, now time.Time) {
	p := a.painter()
	a.printf("relay %s, up %s, %s\n", st.Version, web.Age(st.Started, now), p.verdict(st.State, st.Line(now)))
	for _, t := range st.Troubles[:min(len(st.Troubles), shownTroubles)] {
		a.printf("  %s\n", p.verdict(t.Verdict, t.Line(now)))
		for _, what := range [...]string{t.Try, t.Do} {
			if what != "" {
				a.printf("    %s\n", what)
			}
		}
	}
	if more := len(st.Troubles) - shownTroubles; more > 0 {
		a.printf("  and %d more\n", more)
	}
	a.printf("configuration %s, %s, in force for %s\n", st.Config.Path, st.Config.Fingerprint, web.Age(st.Config.Since, now))
	for _, line := range st.Config.Problems {
		a.printf("  %s\n", line)
	}
	for _, key := range st.Config.Restart {
		a.printf("%s\n", p.warn(key+" changed: takes effect after a restart"))
	}
	fill := fmt.Sprintf("%s of %s", web.Size(st.Queue.Bytes), web.Size(st.Queue.MaxBytes))
	if st.Queue.High {
		fill = p.bad(fill + ", near its limit: the oldest deliveries overflow")
	}
	if st.Queue.Spooled > 0 {
		fill += p.warn(fmt.Sprintf(", and %s spooled here for the cluster", deliveries(st.Queue.Spooled)))
	}
	a.printf("queue %s\n", fill)
	if st.Hub != nil {
		a.printHub(*st.Hub, now, p)
	}
	for _, s := range st.Sources {
		a.printSource(s, now, p)
	}
	a.printf("\n")
	a.printServices(st.Services, now, p)
	a.printGone(st)
	a.printUnbound(st.Unbound, now)
}

func (a *app) printUnbound(u *web.Unbound, now time.Time) {
	if u == nil {
		return
	}
	at := ""
	if u.Scope != "" {
		at = " at " + u.Scope
	}
	a.printf("%s matched no binding, the last %s ago: %s%s\n", plural(u.Count, "event"), web.Age(u.At, now), u.Event, at)
}

// shownTroubles is how many troubles are shown above the table, each with what helps.
const shownTroubles = 8

// verdict colours what is said of the relay.
func (p painter) verdict(word, text string) string {
	switch word {
	case web.Healthy:
		return p.good(text)
	case web.Unhealthy:
		return p.bad(text)
	default:
		return p.warn(text)
	}
}

func (a *app) printHub(h queue.HubState, now time.Time, p painter) {
	state := p.good("linked")
	if !h.Linked {
		state = p.warn("away")
	}
	a.printf("hub %s for %s, as edge %s", state, web.Age(h.Since, now), h.Edge)
	if h.Why != "" {
		a.printf(": %s", h.Why)
	}
	a.printf("\n")
}

func (a *app) printSource(s web.Source, now time.Time, p painter) {
	line := fmt.Sprintf("source %s (%s) %s", s.Name, s.Type, s.State)
	if !s.Since.IsZero() {
		line += " for " + web.Age(s.Since, now)
	}
	line += fmt.Sprintf(", %s turned", plural(int(s.Turned), "event"))
	if s.Behind > 0 {
		line += fmt.Sprintf(", %.1f s behind", s.Behind)
	}
	a.printf("%s\n", line)
	if s.LastError != "" {
		a.printf("  %s\n", p.bad(s.LastError))
	}
	for _, limit := range s.Limits {
		a.printf("  %s\n", p.warn(limit))
	}
	if s.Unturned > 0 {
		a.printf("  %s\n", p.warn(fmt.Sprintf("%d could not be turned, the last: %s", s.Unturned, s.Problem)))
	}
	if s.Gaps > 0 {
		a.printf("  %s\n", p.warn(fmt.Sprintf("heard nothing %s: see the relay_gap events", plural(int(s.Gaps), "time"))))
	}
}

// shownName is how long a service's name may be beside its row; a longer one
// stands above it, so that a row fits 80 columns.
const shownName = 16

func (a *app) printServices(services []web.Service, now time.Time, p painter) {
	t := table{head: []string{"SERVICE", "STATE", "BREAKER", ">OWED", ">OLDEST", ">PER MIN", ">P99", ">DEAD"}}
	for _, s := range services {
		name := s.Name
		if len(name) > shownName {
			t.add(name)
			name = ""
		}
		t.add(
			name, p.state(s.State), p.state(s.Breaker), strconv.Itoa(s.Owed()), web.Age(s.Oldest, now),
			fmt.Sprintf("%.0f", s.PerMinute), web.Latency(s.P99), p.count(s.DeadLetters()),
		)
		if s.ForRecording > 0 {
			t.add("  " + plural(s.ForRecording, "delivery waits for its recording", "deliveries wait for their recordings"))
		}
	}
	t.print(a.out)
}

func (a *app) printGone(st web.Status) {
	for _, name := range slices.Sorted(maps.Keys(st.Gone)) {
		a.printf("%s is no more: %s\n", name, plural(st.Letters(name, ""), "dead letter"))
	}
}
