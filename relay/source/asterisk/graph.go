package asterisk

import "slices"

// graph is who is connected with whom: the legs, and the rooms in which they
// meet. A room is a bridge, or a Local channel, which joins its two halves.
type graph struct {
	legs  map[string]*leg            // by Uniqueid
	rooms map[string]map[string]*leg // by the bridge's id or the Local channel's name, and the leg's
}

func newGraph() graph {
	return graph{legs: map[string]*leg{}, rooms: map[string]map[string]*leg{}}
}

// add takes a leg in that is new or was saved.
func (g graph) add(l *leg) {
	g.legs[l.ID] = l
	if !l.Gone {
		g.place(l, l.Bridge)
		g.place(l, l.pair())
	}
}

// remove lets go of a leg.
func (g graph) remove(l *leg) {
	g.isolate(l)
	delete(g.legs, l.ID)
}

// isolate takes a leg out of every room.
func (g graph) isolate(l *leg) {
	g.displace(l, l.Bridge)
	g.displace(l, l.pair())
}

func (g graph) place(l *leg, room string) {
	switch {
	case room == "":
		return
	case g.rooms[room] == nil:
		g.rooms[room] = map[string]*leg{}
	}
	g.rooms[room][l.ID] = l
}

func (g graph) displace(l *leg, room string) {
	if delete(g.rooms[room], l.ID); len(g.rooms[room]) == 0 {
		delete(g.rooms, room)
	}
}

// others returns who else is in a room, in an order that does not change.
func (g graph) others(l *leg, room string) []*leg {
	var found []*leg
	for _, o := range g.rooms[room] {
		if o != l {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, byID)
	return found
}

// other is the other half of a Local channel; nil when there is none.
func (g graph) other(l *leg) *leg { return prefer(g.others(l, l.pair()), (*leg).local) }

// beside returns the legs in the leg's bridge; none in one where everybody
// waits.
func (g graph) beside(l *leg) []*leg {
	if l.Holding {
		return nil
	}
	return g.others(l, l.Bridge)
}

// around returns the leg and all that it is connected with, through any number
// of bridges and Local channels.
func (g graph) around(l *leg) []*leg {
	found := []*leg{l}
	for i := 0; i < len(found); i++ {
		for _, o := range append(g.beside(found[i]), g.others(found[i], found[i].pair())...) {
			if !slices.Contains(found, o) {
				found = append(found, o)
			}
		}
	}
	return found
}

// parties returns those whom a leg hears: no half of a Local channel is one.
func (g graph) parties(l *leg) []*leg {
	return slices.DeleteFunc(g.around(l), func(o *leg) bool { return o == l || o.local() || o.Gone || o.Bridge == "" })
}

// expects reports whether somebody may come to a leg: a Local channel that it
// is connected with leads to the dialplan.
func (g graph) expects(l *leg) bool {
	return slices.ContainsFunc(g.around(l), func(o *leg) bool { return o != l && o.local() && !o.Gone && o.Bridge == "" })
}

// behind returns the phone that a Local channel stands for: what is in the
// bridge of its other half. It is nil while there is none.
func (g graph) behind(l *leg) *leg {
	return g.through(l, func(half *leg) *leg {
		return prefer(g.beside(half), func(x *leg) bool { return !x.local() })
	})
}

// called returns the phone that a Local channel stands for while it rings, or
// has answered and is in no bridge yet.
func (g graph) called(l *leg) *leg {
	return g.through(l, func(half *leg) *leg { return prefer(g.dialledBy(half), (*leg).answered) })
}

// before returns the Local channels that stand for a leg that is called, the
// nearest first: none of them is in conversation, or a caller's.
func (g graph) before(l *leg) (found []*leg) {
	for range 16 {
		if l.Dial == nil {
			break
		}
		by := g.legs[l.Dial.By]
		if by == nil || !by.local() || by.Caller || by.ID == by.call.ID {
			break
		}
		if l = g.other(by); l == nil || l.Caller || l.ID == l.call.ID || l.Bridge != "" {
			break
		}
		found = append(found, l)
	}
	return found
}

// dialledBy returns those whom a leg calls.
func (g graph) dialledBy(l *leg) []*leg {
	return g.those(func(x *leg) bool { return x.Dial != nil && x.Dial.By == l.ID && !x.Gone })
}

// lent returns the legs of other calls that have a segment of this one.
func (g graph) lent(c *call) []*leg {
	return g.those(func(l *leg) bool { return l.Segment != nil && l.Segment.Call == c.ID })
}

// those returns the legs that are so, in an order that does not change.
func (g graph) those(is func(*leg) bool) []*leg {
	var found []*leg
	for _, l := range g.legs {
		if is(l) {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, byID)
	return found
}

// through follows Local channels, as long as what comes next to the other half
// of one is another.
func (g graph) through(l *leg, next func(half *leg) *leg) *leg {
	for range 16 { // no chain is that long
		o := g.other(l)
		if o == nil {
			return nil
		}
		if l = next(o); l == nil || !l.local() {
			return l
		}
	}
	return nil
}

// prefer returns the first of the legs that is so, else the first of all; nil
// when there is none.
func prefer(legs []*leg, is func(*leg) bool) *leg {
	if i := slices.IndexFunc(legs, is); i >= 0 {
		return legs[i]
	}
	if len(legs) > 0 {
		return legs[0]
	}
	return nil
}
