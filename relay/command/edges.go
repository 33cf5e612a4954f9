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

// edgeStatus is an edge in `relay status --hub --json`.
type edgeStatus struct {
	Name     string       `json:"name"`
	State    string       `json:"state"` // linked, away, rebuilt, renamed or doubled
	ID       string       `json:"id"`    // of its queue folder
	Made     time.Time    `json:"made"`  // the folder
	Waiting  int          `json:"waiting"`
	Dead     int          `json:"dead"`
	Oldest   time.Time    `json:"oldest,omitzero"` // acceptance of the oldest that waits
	Bytes    int64        `json:"bytes"`           // of its queue
	Seen     time.Time    `json:"seen"`            // when it reported all this
	Version  string       `json:"version"`
	Problem  string       `json:"problem,omitempty"`  // why it takes no events
	Before   []edgeFolder `json:"before,omitempty"`   // what its folders before held when they were last seen
	Formerly []string     `json:"formerly,omitempty"` // names it had before
}

// edgeFolder is a queue folder that an edge had before.
type edgeFolder struct {
	ID      string    `json:"id"`
	Made    time.Time `json:"made"`
	Waiting int       `json:"waiting"`
	Dead    int       `json:"dead"`
}

func edgeOf(e queue.Edge) edgeStatus {
	s := edgeStatus{
		Name: e.Name, State: e.State, ID: e.ID, Made: e.Made, Waiting: e.Waiting, Dead: e.Dead, Oldest: e.Oldest,
		Bytes: e.Bytes, Seen: e.Seen, Version: e.Version, Problem: e.Problem, Formerly: e.Formerly,
	}
	for _, b := range e.Before {
		s.Before = append(s.Before, edgeFolder{ID: b.ID, Made: b.Made, Waiting: b.Waiting, Dead: b.Dead})
	}
	return s
}

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
	list := make([]edgeStatus, len(edges))
	for i, e := range edges {
		list[i] = edgeOf(e)
	}
	if asJSON {
		return jsonTo(a.out, "  ").Encode(map[string][]edgeStatus{"edges": list})
	}
	a.printEdges(list, time.Now())
	return nil
}

func (a *app) printEdges(edges []edgeStatus, now time.Time) {
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
		t.add(e.Name, state, strconv.Itoa(e.Waiting), p.count(e.Dead), web.Age(e.Oldest, now), web.Age(e.Seen, now), e.Version, joined(e.note()))
	}
	a.printf("%s, %d away, %d waiting, %s\n\n", plural(len(edges), "edge"), away, waiting, plural(dead, "dead letter"))
	t.print(a.out)
}

// note says what an operator has to know besides the numbers.
func (e edgeStatus) note() string {
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
