package exchange

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

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
func newTransport(s *config.Service, g guard) (*http.Transport, error) {
	secure, err := s.TLS.Client()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: s.Timeout, ControlContext: g.control}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
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
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		return proxy, g.target(r.Context(), r.URL)
	}
	return t, nil
}
