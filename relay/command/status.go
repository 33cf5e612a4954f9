package command

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callrelay/relay/web"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON, hub bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the running relay: its services, what waits, what is wrong",
		Args:  takes,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if hub {
				return a.hubStatus(cmd.Context(), asJSON)
			}
			return a.status(cmd.Context(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&hub, "hub", false, "the edges of the hub that [queue.hub] names, in place of this relay")
	return cmd
}

func (a *app) status(ctx context.Context, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return explain(err)
	}
	if asJSON {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(st)
	}
	a.printStatus(st, time.Now())
	return nil
}

func (a *app) printStatus(st web.Status, now time.Time) {
	p := a.painter()
	health := p.good("healthy")
	if !st.Healthy {
		health = p.bad("unhealthy: " + st.Problem)
	} else if st.Degraded != "" {
		health = p.warn("degraded: " + st.Degraded)
	} else if !st.Ready {
		health = p.warn("takes no events")
	}
	a.printf("relay %s, up %s, %s\n", st.Version, web.Age(st.Started, now), health)
	a.printf("configuration %s, %s, in force for %s\n", st.Config.Path, st.Config.Fingerprint, web.Age(st.Config.Since, now))
	if !st.Config.Success {
		a.printf("%s\n", p.bad(fmt.Sprintf("reload refused %s ago:", web.Age(st.Config.LastReload, now))))
	}
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
	a.printHeld(st, p)
	if st.Hub != nil {
		a.printHub(*st.Hub, now, p)
	}
	for _, s := range st.Sources {
		a.printSource(s, now, p)
	}
	a.printf("\n")
	a.printServices(st.Services, now, p)
	a.printGone(st)
}

// shownHeld is how many services that are held up are named above the table.
const shownHeld = 8

func (a *app) printHeld(st web.Status, p painter) {
	held, more := st.Held(shownHeld)
	if len(held) == 0 {
		return
	}
	var names []string
	for _, s := range held {
		names = append(names, s.Name+" ("+s.HeldBy+")")
	}
	line := "held up: " + strings.Join(names, ", ")
	if more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	a.printf("%s\n", p.warn(line))
}

func (a *app) printHub(h web.Hub, now time.Time, p painter) {
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
	if s.Unturned > 0 {
		a.printf("  %s\n", p.warn(fmt.Sprintf("%d could not be turned, the last: %s", s.Unturned, s.Problem)))
	}
	if s.Gaps > 0 {
		a.printf("  %s\n", p.warn(fmt.Sprintf("heard nothing %s: see the relay_gap events", plural(int(s.Gaps), "time"))))
	}
}

// why says why a service is paused.
func why(s web.Service) string {
	if s.Why == "" {
		return ""
	}
	return "paused " + s.Why
}

func (a *app) printServices(services []web.Service, now time.Time, p painter) {
	t := table{head: []string{"SERVICE", "STATE", "BREAKER", ">OWED", ">RETRYING", ">OLDEST", ">PER MIN", ">P50", ">P99", ">DEAD", "LAST ERROR"}}
	for _, s := range services {
		t.add(
			s.Name, p.state(s.State), p.state(s.Breaker),
			number(s.Owed()), number(s.Retrying), web.Age(s.Oldest, now), fmt.Sprintf("%.0f", s.PerMinute),
			web.Latency(s.P50), web.Latency(s.P99), p.count(s.DeadLetters()), joined(why(s), s.LastError),
		)
	}
	t.print(a.out)
}

func (a *app) printGone(st web.Status) {
	for _, name := range slices.Sorted(maps.Keys(st.Gone)) {
		a.printf("%s is no more: %s\n", name, plural(st.Letters(name, ""), "dead letter"))
	}
}
