package limit

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	knownPeers  = 8 << 10
	subnetBits  = 64          // of IPv6, where a peer has many addresses
	guessDelay  = time.Second // of the answer to a guess too many
	slowAnswers = 64          // that one peer may wait for at a time; others come at once
)

// Guesses counts the wrong secrets of each peer and slows those who guess. A
// right one is for its caller to take at any time. Safe for concurrent use.
type Guesses struct {
	Delay time.Duration // of the answer to a guess too many; not to be changed while in use
	every time.Duration
	burst int

	mu    sync.Mutex
	peers map[netip.Addr]*guesser
}

type guesser struct {
	wrong   *rate.Limiter
	waiting int
	seen    time.Time
}

// NewGuesses allows burst wrong secrets at once, and then one in each interval.
func NewGuesses(every time.Duration, burst int) *Guesses {
	return &Guesses{Delay: guessDelay, every: every, burst: burst, peers: map[netip.Addr]*guesser{}}
}

// Wrong counts a wrong secret. For a peer that gives too many it takes its time,
// and returns true: the peer is to learn no more than that.
func (g *Guesses) Wrong(ctx context.Context, addr netip.Addr) (often bool) {
	g.mu.Lock()
	p := g.of(addr)
	often = !p.wrong.Allow()
	slow := often && p.waiting < slowAnswers
	if slow {
		p.waiting++
	}
	g.mu.Unlock()
	if !slow {
		return often
	}
	select {
	case <-ctx.Done():
	case <-time.After(g.Delay):
	}
	g.mu.Lock()
	p.waiting--
	g.mu.Unlock()
	return true
}

// Suspect reports whether a peer has given too many wrong secrets, so that no
// costly check should be made for it.
func (g *Guesses) Suspect(addr netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of(addr).wrong.Tokens() < 1
}

// of returns what is known of a peer; g.mu is held. Of too many, those seen
// longest ago are forgotten.
func (g *Guesses) of(addr netip.Addr) *guesser {
	p, ok := g.peers[addr]
	if !ok {
		if len(g.peers) >= knownPeers {
			g.forget()
		}
		p = &guesser{wrong: rate.NewLimiter(rate.Every(g.every), g.burst)}
		g.peers[addr] = p
	}
	p.seen = time.Now()
	return p
}

// forget drops the older half.
func (g *Guesses) forget() {
	var seen []time.Time
	for _, p := range g.peers {
		seen = append(seen, p.seen)
	}
	slices.SortFunc(seen, time.Time.Compare)
	middle := seen[len(seen)/2]
	for addr, p := range g.peers {
		if !p.seen.After(middle) && p.waiting == 0 {
			delete(g.peers, addr)
		}
	}
}

// Address is the peer behind a remote address, host:port or a host alone: one
// address, or one subnet of IPv6. What is no address is the zero one.
func Address(remote string) netip.Addr {
	addr, err := netip.ParseAddr(remote)
	if ap, portErr := netip.ParseAddrPort(remote); portErr == nil {
		addr, err = ap.Addr(), nil
	}
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		if subnet, err := addr.Prefix(subnetBits); err == nil {
			return subnet.Addr()
		}
	}
	return addr
}
