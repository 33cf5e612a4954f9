package limit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client is the address that a request came from: the one that it connected
// from or, when that is one of the proxies, the last in X-Forwarded-For that is
// none of them; without that header, what X-Real-IP says.
func Client(r *http.Request, proxies []netip.Prefix) netip.Addr {
	addr := Address(r.RemoteAddr)
	if !contains(proxies, r.RemoteAddr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop := strings.TrimSpace(hop)
		if named := Address(hop); !named.IsValid() {
			break
		} else if addr = named; !contains(proxies, hop) {
			return addr
		}
	}
	if named := Address(strings.TrimSpace(r.Header.Get("X-Real-Ip"))); len(r.Header.Values("X-Forwarded-For")) == 0 && named.IsValid() {
		return named
	}
	return addr
}

// contains reports whether a remote address is that of a proxy.
func contains(proxies []netip.Prefix, remote string) bool {
	addr, err := netip.ParseAddr(remote)
	if ap, portErr := netip.ParseAddrPort(remote); portErr == nil {
		addr, err = ap.Addr(), nil
	}
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
