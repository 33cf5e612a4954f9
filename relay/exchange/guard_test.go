package exchange

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// blockedAlways are addresses of metadata services, in every disguise.
var blockedAlways = []string{
	"169.254.169.254", "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe",
	"64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1",
	"2001:0:1:1::5601:5601", "fe80::5efe:a9fe:a9fe", "::ffff:0:169.254.169.254",
	"169.254.170.2", "169.254.170.23", "169.254.0.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
	"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:ec2::254%eth0", "169.254.42.42", "fd00:42::42",
	"fd00:a9fe:a9fe::1", "fe80::a9fe:a9fe", "fe80::a9fe:a9fe%eth0", "fd00:c1::a9fe:a9fe", "100.96.0.96",
	"192.0.0.1", "192.0.0.170", "192.0.0.171", "192.0.0.255", "::ffff:192.0.0.170", "::192.0.0.170", "64:ff9b::192.0.0.170",
	"64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0", "64:ff9b:1:c0:0:aa::", "2002:c000:aa::1", "2001:0:c000:aa::1",
	"2001:0:1:1::3fff:ff55", "fe80::200:5efe:192.0.0.170", "64:ff9b::100.100.100.200", "2002:a83f:8110::", "::ffff:0:100.100.100.200",
}

// blockedPrivate are refused with allow_private = false.
var blockedPrivate = []string{
	"127.0.0.1", "127.1.2.3", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1",
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
	"::ffff:10.0.0.1", "::ffff:192.168.1.1", "::10.0.0.1", "::ffff:0:10.0.0.1",
	"169.254.1.1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1",
	"100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "::",
	"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1",
	"fc00::1", "fd12:3456::1", "2a00::5efe:10.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255",
	"192.88.99.1", "2001:db8::1", "3fff::1", "2001:2::1",
	"64:ff9b::8.8.8.8", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "64:ff9b:1:a00:0:100::",
	"2002:7f00:1::1", "2002:a00:1::1", "2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
	"100::1", "2001:10::1", "2001:20::1", "5f00::1",
	// Ways into another net, wherever they lead.
	"::8.8.8.8", "::ffff:0:8.8.8.8", "2001:0:808:808::f7f7:f7f7", "64:ff9b:1:808:8:808:808:808",
}

// open are addresses of the internet.
var open = []string{
	"8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "2606:4700:4700::1111", "172.15.255.255", "172.32.0.0", "100.63.255.255",
	"100.128.0.0", "192.167.1.1", "11.0.0.0", "223.255.255.255", "2001:4860:4860::8888", "198.17.255.255",
	"192.0.1.0", "191.255.255.255", "2a00::5efe:8.8.8.8",
}

func TestGuardRefusesAddresses(t *testing.T) {
	if n := len(blockedAlways) + len(blockedPrivate); n < 60 {
		t.Fatalf("only %d attempts", n)
	}
	strict, lax := newGuard(false, nil), newGuard(true, nil)
	check := func(g guard, text string) bool {
		return errors.Is(g.check(netip.AddrPortFrom(netip.MustParseAddr(text), 443)), ErrBlocked)
	}
	for _, text := range blockedAlways {
		if !check(strict, text) || !check(lax, text) {
			t.Errorf("%s is not refused always", text)
		}
	}
	for _, text := range blockedPrivate {
		if !check(strict, text) {
			t.Errorf("%s is not refused", text)
		}
		if check(lax, text) {
			t.Errorf("%s is refused where private addresses are allowed", text)
		}
	}
	for text, what := range map[string]string{"::1": "loopback", "127.0.0.1": "loopback", "fd12::1": "private", "::808:808": "unspecified or IPv4-compatible"} {
		err := strict.check(netip.AddrPortFrom(netip.MustParseAddr(text), 443))
		if want := "blocked: " + text + " is " + what + " (allow_private = false)"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, text := range open {
		if check(strict, text) || check(lax, text) {
			t.Errorf("%s is refused", text)
		}
	}
}

func TestGuardRefusesTheRelaysOwnListeners(t *testing.T) {
	g := newGuard(true, []string{"127.0.0.1:9464", ":8090", "[::]:8091", "localhost:4222", "192.0.2.7:80", "bad", "x:0"})
	for _, test := range []struct {
		address string
		want    bool
	}{
		{"127.0.0.1:9464", true},
		{"0.0.0.0:9464", true},
		{"[::]:9464", true},
		{"[::ffff:127.0.0.1]:9464", true},
		{"127.0.0.1:8090", true},
		{"[::1]:8091", true},
		{"127.0.0.2:8090", true},
		{"[::1]:4222", true},
		{"192.0.2.7:80", true},
		{"[::127.0.0.1]:9464", true},
		{"[64:ff9b::192.0.2.7]:80", true},
		{"[64:ff9b:1::192.0.2.7]:80", true},
		{"[2002:c000:207::1]:80", true},
		{"[64:ff9b::192.0.2.8]:80", false},
		{"127.0.0.1:9465", false},
		{"8.8.8.8:8090", false},
		{"192.0.2.8:80", false},
	} {
		if got := errors.Is(g.check(netip.MustParseAddrPort(test.address)), ErrBlocked); got != test.want {
			t.Errorf("%s refused = %v, want %v", test.address, got, test.want)
		}
	}
}

// disguises are ways to write 127.0.0.1 in a URL, and names for it.
var disguises = []string{
	"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
	"127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
	"[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]", "0", "0.0.0.0", "[::]", "0000.0000.0000.0000", "127.000.000.001",
}

func TestNoDisguiseGetsThroughToLoopback(t *testing.T) {
	var hits atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	for _, through := range []string{"", srv.URL} { // directly, and by way of a proxy
		s := settings(t, srv.URL, `allow_private = false`+proxyLine(through))
		sender, err := New(s, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range disguises {
			target, err := url.Parse("http://" + host + ":" + u.Port() + "/")
			if err != nil {
				continue
			}
			_, err = sender.Send(t.Context(), &Attempt{Method: "GET", URL: target, Header: Headers{}})
			if err == nil {
				t.Errorf("%s (proxy %q) was called", host, through)
			}
		}
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("%d requests got through", n)
	}
}

func proxyLine(proxy string) string {
	if proxy == "" {
		return ""
	}
	return "\nproxy = \"" + proxy + "\""
}

func TestAProxyIsNotSentToMetadataServices(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String()+" for "+r.Host)
	}))
	defer proxy.Close()
	s := settings(t, "http://example.invalid/", proxyLine(proxy.URL))
	sender, err := New(s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	send := func(to string) error {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sender.Send(t.Context(), &Attempt{Method: "GET", URL: u, Header: Headers{}})
		return err
	}
	for _, host := range []string{
		"169.254.169.254", "[::ffff:a9fe:a9fe]", "metadata.google.internal", "METADATA.google.internal.", "metadata.goog",
		"instance-data", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[fd00:ec2::254]",
		"１６９.254.169.254", "169。254。169。254", "①⑥⑨.254.169.②⑤④", "ｍｅtadata.google.internal", "metadata。google。internal",
		"metadata", "metadata.azure.internal", "metadata.azure.com", "metadata.tencentyun.com",
		"metadata.platformequinix.com", "metadata.packet.net", "instance-data.ec2.internal",
	} {
		if err := send("http://" + host + "/latest/meta-data"); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s through a proxy: %v, want it blocked", host, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("the proxy was asked for %v", asked)
	}
	if err := send("http://example.invalid/ok"); err != nil || len(asked) != 1 {
		t.Errorf("a name only the proxy can resolve: %v, asked %v", err, asked)
	}
	if err := send("http://bücher.invalid/ok"); err != nil || len(asked) != 2 || asked[1] != "http://xn--bcher-kva.invalid/ok for xn--bcher-kva.invalid" {
		t.Errorf("a name in other letters: %v, asked %v", err, asked)
	}
	for to, want := range map[string]string{
		"http://localhost:8/x":  "http://127.0.0.1:8/x",
		"https://localhost:9/x": "127.0.0.1:9",
	} { // what was checked is what is asked for, by number
		asked = nil
		_ = send(to)
		if len(asked) != 1 || !strings.Contains(asked[0], want) {
			t.Errorf("%s: the proxy was asked for %v, want %s", to, asked, want)
		}
	}
}
