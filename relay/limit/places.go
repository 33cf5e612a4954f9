package limit

import (
	"container/list"
	"sync"
)

// places are the connections that a listener may have at a time, by peer. Safe
// for concurrent use.
type places struct {
	max   int
	crowd bool

	mu    sync.Mutex
	taken int
	peers map[string]*peer
}

// peer is who has places. A list holds [*Conn], the oldest in front.
type peer struct {
	name            string
	waiting, proven list.List
}

// entry is where a connection stands in the lists.
type entry struct {
	peer *peer
	in   *list.List // nil: it has no place any more
	at   *list.Element
}

func newPlaces(max int, crowd bool) *places {
	return &places{max: max, crowd: crowd, peers: map[string]*peer{}}
}

func (p *peer) has() int { return p.waiting.Len() + p.proven.Len() }

// enter gives a connection a place: one that is free, or that of a victim, which
// is to be closed. It is false when there is none for it.
func (p *places) enter(c *Conn) (victim *Conn, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.max {
		if victim = p.victim(c.Peer); victim == nil {
			return nil, false
		}
		p.remove(victim)
	}
	one, known := p.peers[c.Peer]
	if !known {
		one = &peer{name: c.Peer}
		p.peers[c.Peer] = one
	}
	c.entry = entry{one, &one.waiting, one.waiting.PushBack(c)}
	p.taken++
	return victim, true
}

// victim is the connection that gives way to one more of a peer: the oldest that
// waits of the peer with the most places, or any of a peer that has more than
// half of them.
func (p *places) victim(name string) *Conn {
	most := p.peers[name] // first, so that others must have more
	for _, one := range p.peers {
		if most == nil || one.has() > most.has() {
			most = one
		}
	}
	own := most.name == name
	switch {
	case own && !p.crowd:
		return nil
	case most.waiting.Len() > 0:
		return most.waiting.Front().Value.(*Conn)
	case !own && most.has() > p.max/2:
		return most.proven.Front().Value.(*Conn)
	}
	return nil
}

// prove moves a connection to those that do not give way.
func (p *places) prove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := &c.entry; e.in == &e.peer.waiting {
		e.in.Remove(e.at)
		e.in = &e.peer.proven
		e.at = e.in.PushBack(c)
	}
}

func (p *places) leave(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(c)
}

// remove takes a connection's place; p.mu is held.
func (p *places) remove(c *Conn) {
	e := &c.entry
	if e.in == nil {
		return
	}
	e.in.Remove(e.at)
	e.in = nil
	p.taken--
	if e.peer.has() == 0 {
		delete(p.peers, e.peer.name)
	}
}

// each calls visit for every connection that waits.
func (p *places) each(visit func(*Conn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.peers {
		for e := one.waiting.Front(); e != nil; e = e.Next() {
			visit(e.Value.(*Conn))
		}
	}
}
