package asterisk

import "slices"

// graph is who is connected with whom: the legs, the bridges that they are in,
// and the pairs of halves that Local channels are.
type graph struct {
	legs    map[string]*leg            // by Uniqueid
	bridges map[string]map[string]*leg // by the bridge's id and the leg's
	halves  map[string]string          // a Local channel's first half, by the name of both
}

func newGraph() graph {
	return graph{legs: map[string]*leg{}, bridges: map[string]map[string]*leg{}, halves: map[string]string{}}
}

// add takes a leg in that is new or was saved.
func (g graph) add(l *leg) {
	g.legs[l.ID] = l
	if l.Bridge != "" {
		g.place(l, l.Bridge)
	}
	if !l.local() {
		return
	}
	first := g.legs[g.halves[l.half()]]
	if first == nil || first == l {
		g.halves[l.half()] = l.ID
		return
	}
	first.Other, l.Other = l.ID, first.ID
}

// remove lets go of a leg.
func (g graph) remove(l *leg) {
	g.displace(l)
	if g.halves[l.half()] == l.ID {
		delete(g.halves, l.half())
	}
	delete(g.legs, l.ID)
}

func (g graph) place(l *leg, bridge string) {
	if g.bridges[bridge] == nil {
		g.bridges[bridge] = map[string]*leg{}
	}
	g.bridges[bridge][l.ID] = l
}

func (g graph) displace(l *leg) {
	delete(g.bridges[l.Bridge], l.ID)
	if len(g.bridges[l.Bridge]) == 0 {
		delete(g.bridges, l.Bridge)
	}
}

// other is the other half of a Local channel; nil when there is none.
func (g graph) other(l *leg) *leg {
	if l.Other == "" {
		return nil
	}
	if o := g.legs[l.Other]; o != nil && !o.Gone {
		return o
	}
	return nil
}

// beside returns the legs in the leg's bridge, in an order that does not
// change; none in one where everybody waits.
func (g graph) beside(l *leg) []*leg {
	if l.Bridge == "" || l.Holding {
		return nil
	}
	var found []*leg
	for _, o := range g.bridges[l.Bridge] {
		if o != l {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, byID)
	return found
}

// around returns the leg and all that it is connected with, through any number
// of bridges and Local channels.
func (g graph) around(l *leg) []*leg {
	found := []*leg{l}
	for i := 0; i < len(found); i++ {
		next := g.beside(found[i])
		if o := g.other(found[i]); o != nil {
			next = append(next, o)
		}
		for _, o := range next {
			if !slices.Contains(found, o) {
				found = append(found, o)
			}
		}
	}
	return found
}

// parties returns those whom a leg hears: no half of a Local channel is one.
func (g graph) parties(l *leg) []*leg {
	if l.Bridge == "" || l.Holding {
		if !l.local() {
			return nil
		}
	}
	return slices.DeleteFunc(g.around(l), func(o *leg) bool { return o == l || o.local() || o.Gone || o.Bridge == "" })
}

// expects reports whether somebody may come to a leg: a Local channel that it
// is connected with leads to the dialplan.
func (g graph) expects(l *leg) bool {
	return slices.ContainsFunc(g.around(l), func(o *leg) bool { return o != l && o.local() && !o.Gone && o.Bridge == "" })
}

// behind returns the phone that a Local channel stands for: what is in the
// bridge of its other half, through any number of further ones. It is nil
// while there is none.
func (g graph) behind(l *leg) *leg {
	for range 16 { // no chain is that long
		o := g.other(l)
		if o == nil {
			return nil
		}
		beside := g.beside(o)
		if i := slices.IndexFunc(beside, func(x *leg) bool { return !x.local() }); i >= 0 {
			return beside[i]
		}
		if len(beside) == 0 {
			return nil
		}
		l = beside[0]
	}
	return nil
}

// called returns the phone that a Local channel stands for while it rings, or
// has answered and is in no bridge yet.
func (g graph) called(l *leg) *leg {
	for range 16 {
		o := g.other(l)
		if o == nil {
			return nil
		}
		var next *leg
		for _, x := range g.legs {
			if x.Dial == nil || x.Dial.By != o.ID || x.Gone {
				continue
			}
			if next == nil || x.Dial.Answered && !next.Dial.Answered || x.Dial.Answered == next.Dial.Answered && x.ID < next.ID {
				next = x
			}
		}
		if next == nil || !next.local() {
			return next
		}
		l = next
	}
	return nil
}
