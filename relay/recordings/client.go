package recordings

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of one client, by its address. Loopback ones, which are a proxy or the
// operator, are bounded in refused requests only.
const (
	ClientRate   = 500  // requests a second
	ClientBurst  = 1000 //
	RefusedRate  = 20   // refused requests a second
	RefusedBurst = 300  //
	knownClients = 8 << 10
	subnetBits   = 64 // of IPv6, where a client has many addresses
)

// clients bounds how much each client may ask. Safe for concurrent use.
type clients struct {
	known *cache[netip.Addr, *client]
}

// A client is one address, or one subnet of IPv6.
type client struct {
	requests, refused *rate.Limiter
}

func newClients() *clients { return &clients{known: newCache[netip.Addr, *client](knownClients)} }

// of returns the client behind the remote address of a request.
func (c *clients) of(remote string) *client {
	var addr netip.Addr
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		addr = ap.Addr().Unmap().WithZone("")
	}
	if addr.Is6() {
		if subnet, err := addr.Prefix(subnetBits); err == nil && !addr.IsLoopback() {
			addr = subnet.Addr()
		}
	}
	return c.known.fetch(addr, func() *client {
		requests := rate.NewLimiter(ClientRate, ClientBurst)
		if addr.IsLoopback() {
			requests = rate.NewLimiter(rate.Inf, 0)
		}
		return &client{requests: requests, refused: rate.NewLimiter(RefusedRate, RefusedBurst)}
	})
}

// ask counts a request and reports whether it may be answered.
func (c *client) ask() bool { return c.requests.Allow() }

// refuse counts a refused request and reports whether its reason is still
// told; else the client has been refused too often.
func (c *client) refuse() bool { return c.refused.Allow() }

// suspect reports whether the client has been refused too often, so that no
// costly check is made for it.
func (c *client) suspect() bool { return c.refused.TokensAt(time.Now()) < 1 }
