package exchange

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ErrBlocked is behind every refusal of a guard.
var ErrBlocked = errors.New("blocked")

// guard refuses to call what should not be called. It looks at the address that
// is about to be dialled, after names were resolved, so that neither a name nor
// an odd way of writing an address gets around it. Safe for concurrent use.
type guard struct {
	private bool             // private addresses may be called
	own     []netip.AddrPort // the relay's own listeners; an unspecified address stands for all of this machine
}

// newGuard reads the relay's own listeners, host:port each; what is no address
// with a port is nobody's endpoint and left out.
func newGuard(private bool, own []string) guard {
	g := guard{private: private}
	for _, listener := range own {
		host, port, err := net.SplitHostPort(listener)
		if err != nil {
			continue
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			continue
		}
		for _, addr := range listenAddrs(host) {
			g.own = append(g.own, netip.AddrPortFrom(addr, uint16(number)))
		}
	}
	return g
}

func listenAddrs(host string) []netip.Addr {
	switch addr, err := netip.ParseAddr(host); {
	case host == "localhost":
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	case err != nil:
		return []netip.Addr{netip.IPv6Unspecified()}
	default:
		return []netip.Addr{addr.Unmap()}
	}
}

// control is the hook of a [net.Dialer]: it sees each resolved address.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s is no address", ErrBlocked, address)
	}
	return g.check(at)
}

// check returns an error that is errBlocked when the address may not be called,
// nor one that it may be translated to on its way.
func (g guard) check(at netip.AddrPort) error {
	addr := at.Addr().WithZone("").Unmap()
	for _, a := range append([]netip.Addr{addr}, embedded(addr)...) {
		if slices.ContainsFunc(metadataNets, func(n netip.Prefix) bool { return n.Contains(a) }) {
			return fmt.Errorf("%w: %s is a cloud metadata address", ErrBlocked, addr)
		}
		if g.isOwn(netip.AddrPortFrom(a, at.Port())) {
			return fmt.Errorf("%w: %s is a listener of the relay itself", ErrBlocked, at)
		}
		for _, n := range privateNets {
			if !g.private && n.prefix.Contains(a) {
				return fmt.Errorf("%w: %s is %s (allow_private = false)", ErrBlocked, addr, n.what)
			}
		}
	}
	return nil
}

func (g guard) isOwn(at netip.AddrPort) bool {
	for _, own := range g.own {
		if own.Port() != at.Port() {
			continue
		}
		switch {
		case own.Addr() == at.Addr():
			return true
		case at.Addr().IsUnspecified() && own.Addr().IsLoopback(): // dialling it reaches loopback
			return true
		case own.Addr().IsUnspecified() && isLocal(at.Addr()):
			return true
		}
	}
	return false
}

// isLocal reports whether an address is one of this machine's.
func isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return true // not knowing, better not call ourselves
	}
	for _, n := range nets {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil && prefix.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}

// target checks where a proxy is about to be sent, since the proxy and not this
// process will dial it, and returns the address to ask it for. For a name that
// this machine cannot resolve that is the zero one: it is left to the proxy when
// private addresses are allowed, and refused when they are not.
func (g guard) target(ctx context.Context, u *url.URL) (netip.AddrPort, error) {
	fail := func(format string, args ...any) (netip.AddrPort, error) {
		return netip.AddrPort{}, fmt.Errorf(format, args...)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if slices.Contains(metadataNames, host) {
		return fail("%w: %s is a cloud metadata name", ErrBlocked, host)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		at := netip.AddrPortFrom(addr, portOf(u))
		return at, g.check(at)
	}
	if endsInNumber(host) { // 0x7f.1, 017700000001: an address to some, a name to others
		return fail("%w: %s is an address in an unusual form", ErrBlocked, Clip(host))
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		if g.private && host != "localhost" {
			return netip.AddrPort{}, nil
		}
		return fail("resolve the proxy's target: %w", err)
	}
	for _, addr := range addrs {
		if err := g.check(netip.AddrPortFrom(addr, portOf(u))); err != nil {
			return netip.AddrPort{}, err
		}
	}
	first := addrs[max(slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Unmap().Is4() }), 0)]
	return netip.AddrPortFrom(first.Unmap(), portOf(u)), nil // a proxy has IPv4
}

// endsInNumber reports whether the last label of a host is a number, which
// makes the host an IPv4 address by the rule of browsers and of inet_aton.
func endsInNumber(host string) bool {
	label := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(label, 0, 64)
	if errors.Is(err, strconv.ErrRange) {
		return true
	}
	return err == nil || label != "" && strings.Trim(label, "0123456789") == ""
}

func portOf(u *url.URL) uint16 {
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(port)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}
