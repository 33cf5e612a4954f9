package limit

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestBytesOfOnePeer(t *testing.T) {
	b := NewBytes(10)
	a, other := b.Of("a"), b.Of("other")
	if err := a.Take(t.Context(), 99); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Of("a").Take(ended, 1); err == nil {
		t.Error("more than the share was given")
	}
	if err := other.Take(t.Context(), 10); err != nil {
		t.Errorf("another peer has no share: %v", err)
	}
	a.Give(99)
	if err := a.Take(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuesses(time.Hour, 3)
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		wrong := func(name string, addr netip.Addr, often bool, want time.Duration) {
			t.Helper()
			began := time.Now()
			if got := g.Wrong(t.Context(), addr); got != often || time.Since(began) != want || often && !g.Suspect(addr) {
				t.Errorf("%s: often %v after %s, want %v after %s", name, got, time.Since(began), often, want)
			}
		}
		for range 3 {
			wrong("an early guess", a, false, 0)
		}
		wrong("a guess too many", a, true, guessDelay)
		wrong("another peer", b, false, 0)
		for range slowAnswers {
			go g.Wrong(t.Context(), a)
		}
		synctest.Wait()
		wrong("more than are made to wait", a, true, 0)
	})
}

func TestGuessersAreForgotten(t *testing.T) {
	g := NewGuesses(time.Hour, 1)
	for i := range 3 * knownPeers {
		g.Suspect(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(g.peers) > knownPeers {
		t.Errorf("%d peers are known, at most %d", len(g.peers), knownPeers)
	}
}

func TestClient(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8::1/128")}
	for _, test := range []struct{ name, remote, forwarded, real, want string }{
		{"straight", "192.0.2.1:1", "", "", "192.0.2.1"},
		{"who is no proxy is not believed", "192.0.2.1:1", "198.51.100.1", "198.51.100.1", "192.0.2.1"},
		{"behind a proxy", "127.0.0.1:1", "198.51.100.1", "", "198.51.100.1"},
		{"behind two", "127.0.0.1:1", "198.51.100.1, 10.0.0.7", "", "198.51.100.1"},
		{"what the client itself wrote", "127.0.0.1:1", "203.0.113.9, 198.51.100.1", "", "198.51.100.1"},
		{"by X-Real-IP", "[::ffff:127.0.0.1]:1", "", "198.51.100.1", "198.51.100.1"},
		{"X-Real-IP beside the other", "127.0.0.1:1", "198.51.100.1", "203.0.113.9", "198.51.100.1"},
		{"nonsense", "127.0.0.1:1", "198.51.100.1, x", "", "127.0.0.1"},
		{"nothing", "127.0.0.1:1", "", "", "127.0.0.1"},
		{"only proxies", "127.0.0.1:1", "10.0.0.8", "", "10.0.0.8"},
		{"IPv6", "[2001:db8::1]:1", "2001:db8:1::77", "", "2001:db8:1::"},
		{"with a port", "127.0.0.1:1", "198.51.100.1:99", "", "198.51.100.1"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{}}
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if test.real != "" {
			r.Header.Set("X-Real-Ip", test.real)
		}
		if got := Client(r, proxies).String(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestAddress(t *testing.T) {
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
		if got := Address(test.a) == Address(test.b); got != test.want {
			t.Errorf("%s: the same peer: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestExhausted(t *testing.T) {
	if !Exhausted(errors.Join(syscall.EMFILE)) || !Exhausted(syscall.ENFILE) || Exhausted(syscall.ECONNREFUSED) || Exhausted(nil) {
		t.Error("not told apart")
	}
	var d *Descriptors
	d.Note(syscall.EMFILE) // nobody is told
	if got := (&Descriptors{}).Problem(); got != "" {
		t.Errorf("problem = %q where there was none", got)
	}
	d = &Descriptors{}
	d.last.Store(time.Now().UnixNano())
	if got := d.Problem(); !strings.HasPrefix(got, "out of file descriptors") {
		t.Errorf("problem = %q", got)
	}
}
