package exchange

import "net/netip"

// metadataNets are where clouds hand credentials to whoever asks from inside:
// no service is ever there.
var metadataNets = prefixes(
	"169.254.169.254/32",     // AWS, Azure, Google, DigitalOcean and most others
	"169.254.170.2/32",       // AWS container credentials
	"169.254.170.23/32",      // AWS pod identity
	"169.254.0.23/32",        // Tencent
	"100.100.100.200/32",     // Alibaba
	"100.96.0.96/32",         // Volcengine
	"169.254.42.42/32",       // Scaleway
	"168.63.129.16/32",       // Azure's host
	"192.0.0.0/24",           // Oracle, among addresses that are set apart for protocols
	"fd00:ec2::254/128",      // AWS
	"fd00:ec2::23/128",       // AWS pod identity
	"fd20:ce::254/128",       // Google
	"fd00:42::42/128",        // Scaleway
	"fd00:c1::a9fe:a9fe/128", // Oracle
	"fd00:a9fe:a9fe::1/128",  // Akamai
	"fe80::a9fe:a9fe/128",    // OpenStack
)

// metadataNames are the names of those addresses, for proxies that resolve
// names themselves.
var metadataNames = []string{
	"metadata", // Google's short one
	"metadata.google.internal",
	"metadata.goog",
	"metadata.azure.internal",
	"metadata.azure.com",
	"metadata.tencentyun.com",
	"metadata.platformequinix.com",
	"metadata.packet.net",
	"instance-data",
	"instance-data.ec2.internal",
}

// privateNets are the addresses that are not out on the internet, or that lead
// to such ones by translation.
var privateNets = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fec0::/10"), "private (site-local)"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a carrier (CGNAT)"},
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/96"), "unspecified or IPv4-compatible"},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), "IPv4-translated"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved or broadcast"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("2001:2::/48"), "for benchmarks"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a 6to4 relay"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("2001::/32"), "Teredo"},
	{netip.MustParsePrefix("64:ff9b::/96"), "translated (NAT64)"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "translated (NAT64)"},
	{netip.MustParsePrefix("100::/64"), "discarded"},
	{netip.MustParsePrefix("2001:10::/28"), "no address (ORCHID)"},
	{netip.MustParsePrefix("2001:20::/28"), "no address (ORCHID)"},
	{netip.MustParsePrefix("5f00::/16"), "for segment routing"},
}

// embedded returns the IPv4 addresses that an IPv6 address may be translated
// to on its way.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	low := netip.AddrFrom4([4]byte(b[12:16]))
	switch {
	case within(addr, "::/96"), within(addr, "::ffff:0:0:0/96"), within(addr, "64:ff9b::/96"):
		return []netip.Addr{low}
	case within(addr, "64:ff9b:1::/48"): // below a prefix of 96, 48, 56 or 64 bits, which skip byte 8 (RFC 6052)
		return []netip.Addr{
			low,
			netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]}),
			netip.AddrFrom4([4]byte{b[7], b[9], b[10], b[11]}),
			netip.AddrFrom4([4]byte(b[9:13])),
		}
	case within(addr, "2002::/16"):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case within(addr, "2001::/32"): // Teredo flips the bits of the client's address
		return []netip.Addr{
			netip.AddrFrom4([4]byte(b[4:8])),
			netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}),
		}
	case b[10] == 0x5e && b[11] == 0xfe: // ISATAP
		return []netip.Addr{low}
	}
	return nil
}

func within(addr netip.Addr, prefix string) bool {
	return netip.MustParsePrefix(prefix).Contains(addr)
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
