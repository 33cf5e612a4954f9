package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callrelay/queue"
	"callrelay/relay/web"
)

// hubStatus shows the edges of the hub.
func (a *app) hubStatus(ctx context.Context, asJSON bool) error {
	h, _, err := a.hub(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	edges, err := h.Edges(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return jsonTo(a.out, "  ").Encode(map[string][]queue.Edge{"edges": edges})
	}
	a.printEdges(edges, time.Now())
	return nil
}

func (a *app) printEdges(edges []queue.Edge, now time.Time) {
	p := a.painter()
	waiting, dead, away := 0, 0, 0
	t := table{head: []string{"EDGE", "STATE", ">WAITING", ">DEAD", ">OLDEST", ">SEEN", "VERSION", "NOTE"}}
	for _, e := range edges {
		waiting, dead = waiting+e.Waiting, dead+e.Dead
		state := p.warn(e.State)
		if e.State == queue.EdgeAway {
			away++
			state = p.bad("away since " + e.Seen.Local().Format(time.DateTime))
		} else if e.State == queue.EdgeLinked {
			state = p.good(e.State)
		}
		t.add(e.Name, state, strconv.Itoa(e.Waiting), p.count(e.Dead), web.Age(e.Oldest, now), web.Age(e.Seen, now), e.Version, joined(noteOf(e)))
	}
	a.printf("%s, %d away, %d waiting, %s\n\n", plural(len(edges), "edge"), away, waiting, plural(dead, "dead letter"))
	t.print(a.out)
}

// noteOf says what an operator has to know besides the numbers.
func noteOf(e queue.Edge) string {
	var notes []string
	if e.Problem != "" {
		notes = append(notes, e.Problem)
	}
	if len(e.Before) > 0 {
		b := e.Before[0]
		notes = append(notes, fmt.Sprintf("new folder %s since %s; in the one before, %s, waited %d, and %s",
			e.ID, e.Made.Local().Format(time.DateTime), b.ID, b.Waiting, plural(b.Dead, "dead letter")))
	}
	if len(e.Formerly) > 0 {
		notes = append(notes, "formerly "+strings.Join(e.Formerly, ", "))
	}
	if e.State == queue.EdgeDoubled {
		notes = append(notes, "another relay has this name (folder "+e.ID+" here)")
	}
	return strings.Join(notes, "; ")
}
