package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plainName is what services, sources, keys and sites may be called.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// rules judge single values.
type rules struct{ *file }

// oneOf reports a value that is none of those allowed.
func (f rules) oneOf(at place, key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.report(at, key, "%s %q is not allowed (allowed: %s)", key, value, strings.Join(allowed, ", "))
	}
}

// named reports a value that is missing or cannot be a name.
func (f rules) named(at place, key, value string) {
	switch {
	case value == "":
		f.report(at, key, "%s is missing", key)
	case !plainName.MatchString(value):
		f.report(at, key, "%s %q is not a name (at most 64 of A-Z a-z 0-9 _ -)", key, value)
	}
}

// present reports a value that is missing, and says whether it is there.
func (f rules) present(at place, key, value string) bool {
	if value == "" {
		f.report(at, key, "%s is missing", key)
	}
	return value != ""
}

// positive reports a duration of nothing.
func (f rules) positive(at place, key string, d time.Duration) {
	if d <= 0 {
		f.report(at, key, "%s %q is not more than 0", key, d)
	}
}

// between reports a number outside a range.
func between[T cmp.Ordered](f rules, at place, key string, value, low, high T) {
	if value < low || value > high {
		f.report(at, key, "%s %v is not allowed (%v to %v)", key, value, low, high)
	}
}

// size reports a number of bytes outside a range.
func (f rules) size(at place, key string, value, low, high int64) {
	if value < low || value > high {
		f.report(at, key, "%s %s is not allowed (%s to %s)", key, sizeText(value), sizeText(low), sizeText(high))
	}
}

// address reports what is not host:port; empty passes.
func (f rules) address(at place, key, value string) {
	if value == "" {
		return
	}
	_, port, err := net.SplitHostPort(value)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || strconv.FormatUint(n, 10) != port {
		f.report(at, key, `%s %q is not an address (such as "127.0.0.1:%d")`, key, value, examplePort)
	}
}

// examplePort is the port of the address that problems give as an example.
const examplePort = 8765

// loopback reports whether only this machine reaches a listening address.
func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	return loopbackHost(host)
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// link reports what is not an absolute URL of one of the schemes, without user
// and password. It returns the URL when there is nothing to report.
func (f rules) link(at place, key, value string, schemes ...string) *url.URL {
	u, err := url.Parse(value)
	bare, _, _ := strings.Cut(key, "[") // without the number of an element
	switch {
	case strings.Contains(value, "@") && (err != nil || u.User != nil):
		f.report(at, key, "%s holds a user or a password, which are no part of a URL that is shown", bare)
	case err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || !validPort(u.Port()):
		f.report(at, key, "%s %q is not an absolute URL (allowed: %s://)", bare, withoutQuery(value), strings.Join(schemes, "://, "))
	default:
		return u
	}
	return nil
}

// validPort reports whether a URL may have the port; none is fine.
func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil
}

// withoutQuery is what of a URL may be quoted: its query may hold a secret.
func withoutQuery(text string) string {
	before, _, _ := strings.Cut(text, "?")
	return before
}
