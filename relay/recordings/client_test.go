package recordings

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"callrelay/relay/limit"
)

var loopback = netip.MustParseAddr("127.0.0.1")

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
	r.guesses = limit.NewGuesses(time.Hour, 0)
	r.guesses.Delay = 0
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
	customer := netip.MustParseAddr("192.0.2.1")
	c := testConfig(t)
	c.Dir, c.TrustedProxies = r.root.dir, []netip.Prefix{netip.PrefixFrom(loopback, 32)}
	if err := reapply(r, c); err != nil {
		t.Fatal(err)
	}
	r.clients.known.put(customer, rate.NewLimiter(0, 0))
	resp, _ := ask(t, addr, "GET", target(t, r.Link("a.wav", "", time.Now(), -1, -1)), "X-Forwarded-For: "+customer.String())
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q, want 429 and when to come back", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}
