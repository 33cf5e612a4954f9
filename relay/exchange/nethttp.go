package exchange

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/net/idna"

	"callrelay/config"
)

const (
	idleConn       = 60 * time.Second // an unused connection is kept this long
	maxHeaderBytes = 64 << 10         // of an answer
)

// newTransport makes the connections of one service, shared with no other. It
// follows no redirect, keeps no cookie, unpacks nothing and takes no proxy from
// the environment; connections are kept for the next attempt, as many as the
// service has places.
func newTransport(s *config.Service, g guard) (http.RoundTripper, error) {
	secure, err := s.TLS.Client()
	if err != nil {
		return nil, err
	}
	return transportOf(s, g, secure)
}

func transportOf(s *config.Service, g guard, secure *tls.Config) (http.RoundTripper, error) {
	dialer := &net.Dialer{Timeout: s.Timeout, ControlContext: g.control}
	t := &http.Transport{
		DialContext:            lastWordDialer(dialer),
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    s.Timeout,
		MaxIdleConnsPerHost:    s.Concurrency,
		IdleConnTimeout:        idleConn,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
		DisableKeepAlives:      !s.KeepAlive,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if s.Proxy.Value() == "" {
		return t, nil
	}
	proxy, err := url.Parse(s.Proxy.Value())
	if err != nil {
		return nil, errors.New("proxy: not a URL") // without its text: it may hold a password
	}
	// The proxy itself was chosen by the operator and is mostly private; what is
	// guarded is where it is sent.
	dialer.ControlContext = guard{private: true, own: g.own}.control
	t.Proxy = http.ProxyURL(proxy)
	return &byNumber{guard: g, plain: t, secure: map[string]*http.Transport{}}, nil
}

// lastWord is a connection whose writer sees its end a moment late: what
// the endpoint answered before that is read meanwhile, and net/http believes it.
type lastWord struct{ *net.TCPConn }

func lastWordDialer(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			return lastWord{tcp}, err
		}
		return conn, err
	}
}

// Write implements [io.Writer].
func (c lastWord) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	return n, late(err)
}

// ReadFrom implements [io.ReaderFrom].
func (c lastWord) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	return n, late(err)
}

func late(err error) error {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		<-time.After(100 * time.Millisecond)
	}
	return err
}

// byNumber asks a proxy for addresses: what a name was found to mean when it was
// checked is what is called. Safe for concurrent use.
type byNumber struct {
	guard guard
	plain *http.Transport

	mu     sync.Mutex
	secure map[string]*http.Transport // by the name that a certificate must have
}

// RoundTrip implements [http.RoundTripper].
func (b *byNumber) RoundTrip(r *http.Request) (*http.Response, error) {
	named, err := inASCII(r.URL)
	if err != nil {
		return nil, err
	}
	at, err := b.guard.target(r.Context(), named)
	if err != nil {
		return nil, err
	}
	asked, u := r.WithContext(r.Context()), *named
	asked.URL, asked.Host = &u, cmp.Or(r.Host, named.Host)
	if !at.IsValid() {
		return b.plain.RoundTrip(asked)
	}
	u.Host = at.String()
	if u.Scheme == "http" { // net/http would write the name
		u.Opaque = "//" + u.Host + cmp.Or(u.EscapedPath(), "/")
	}
	return b.to(named).RoundTrip(asked)
}

// inASCII writes a host in other letters as the name or number that it stands
// for, as a dialler reads it, so that it is checked, and a proxy asked for it.
func inASCII(u *url.URL) (*url.URL, error) {
	host := u.Hostname()
	if !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return u, nil
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no host name", ErrBlocked, Clip(host))
	}
	written := *u
	written.Host = strings.Replace(u.Host, host, name, 1)
	return &written, nil
}

// to is the transport to an endpoint, whatever number stands for its name.
func (b *byNumber) to(u *url.URL) *http.Transport {
	if u.Scheme != "https" {
		return b.plain
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name := u.Hostname()
	t, ok := b.secure[name]
	if !ok {
		t = b.plain.Clone()
		if t.TLSClientConfig.ServerName == "" {
			t.TLSClientConfig.ServerName = name
		}
		b.secure[name] = t
	}
	return t
}

// CloseIdleConnections is for the sender, as that of [http.Transport].
func (b *byNumber) CloseIdleConnections() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.plain.CloseIdleConnections()
	for _, t := range b.secure {
		t.CloseIdleConnections()
	}
}
