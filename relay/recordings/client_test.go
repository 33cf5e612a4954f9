package recordings

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func TestClientsAreTold(t *testing.T) {
	c := newClients()
	for _, test := range []struct {
		name string
		a, b string
		want bool
	}{
		{"one address, two ports", "192.0.2.1:1", "192.0.2.1:2", true},
		{"two addresses", "192.0.2.1:1", "192.0.2.2:1", false},
		{"one address in both families", "192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"one subnet of IPv6", "[2001:db8::1]:1", "[2001:db8::ffff]:1", true},
		{"two subnets of IPv6", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"zones", "[fe80::1%eth0]:1", "[fe80::2%eth1]:1", true},
	} {
		if got := c.of(test.a) == c.of(test.b); got != test.want {
			t.Errorf("%s: the same client: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestRefusedTooOften shows that a client that guesses learns nothing more and
// has no password checked, and that what opens still opens.
func TestRefusedTooOften(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	put(t, r, "a.wav", testFile(t, "mono.wav"))
	link := target(t, r.Link("a.wav", "", time.Now(), -1, -1))
	right := basic("crm", "right horse")
	if resp, _ := ask(t, addr, "GET", "/recordings/a.wav", right); resp.StatusCode != 200 {
		t.Fatalf("right password = %d, want 200", resp.StatusCode)
	}
	r.clients.known.put(loopback, &client{requests: rate.NewLimiter(rate.Inf, 0), refused: rate.NewLimiter(0, 0)})
	for _, test := range []struct {
		name, target, header string
		want                 int
	}{
		{"wrong password", "/recordings/a.wav", basic("crm", "wrong"), 429},
		{"guessed token", "/recordings/AAAAAAAAAAAAAAAAAAAAAA", "X: y", 401},
		{"signature", link + "x", "X: y", 429},
		{"nothing yet", "/recordings/a.wav", "X: y", 401},
		{"right link", link, "X: y", 200},
		{"right password, known", "/recordings/a.wav", right, 200},
	} {
		if resp, _ := ask(t, addr, "GET", test.target, test.header); resp.StatusCode != test.want {
			t.Errorf("%s = %d, want %d", test.name, resp.StatusCode, test.want)
		}
	}
}

func TestClientAsksTooMuch(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	put(t, r, "a.wav", testFile(t, "mono.wav"))
	r.clients.known.put(loopback, &client{requests: rate.NewLimiter(0, 0), refused: rate.NewLimiter(rate.Inf, 0)})
	resp, _ := ask(t, addr, "GET", target(t, r.Link("a.wav", "", time.Now(), -1, -1)))
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q, want 429 and when to come back", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}
