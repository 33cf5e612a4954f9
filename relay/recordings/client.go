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
)

// refusedEvery is what a client is refused without being slowed.
const refusedEvery = time.Second / RefusedRate

// clients bounds how much each client may ask. Safe for concurrent use.
type clients struct {
	known *cache[netip.Addr, *rate.Limiter]
}

func newClients() *clients { return &clients{newCache[netip.Addr, *rate.Limiter](knownClients)} }

// ask counts a request and reports whether it may be answered.
func (c *clients) ask(addr netip.Addr) bool {
	return addr.IsLoopback() || c.known.fetch(addr, func() *rate.Limiter { return rate.NewLimiter(ClientRate, ClientBurst) }).Allow()
}
