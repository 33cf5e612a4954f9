package exchange

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode"

	"callrelay/config"
)

// New makes the [Sender] of a service: its connections and, with OAuth2,
// its tokens.
// Keep holds rotated refresh tokens; nil: they end with the process.
func New(s *config.Service, own []string, keep Keeper) (Sender, error) {
	g := newGuard(s.AllowPrivate, own)
	sender, err := newExchanger(s, g)
	if err != nil || s.Auth.OAuth2 == nil {
		return sender, err
	}
	client, err := newTokenClient(s, g)
	if err != nil {
		return nil, err
	}
	return newTokenSender(s.Name, s.Auth.OAuth2, client, keep, sender)
}

// Variable names the environment variable that has net/http make all exchanges
// when it is "net/http": the way out, should this package's own client be at
// fault.
const Variable = "RELAY_EXCHANGE"

const netHTTP = "net/http"

// newExchanger makes the connections of a service. What takes more than HTTP/1.1
// to the host as written, a proxy or a host name to translate, is left to
// net/http.
func newExchanger(s *config.Service, g guard) (Sender, error) {
	if s.Proxy.Value() != "" || !isASCII(s.URL) || os.Getenv(Variable) == netHTTP {
		transport, err := newTransport(s, g)
		return &HTTPSender{Transport: transport, MaxResponse: s.MaxResponse, pace: newPace(s.MaxRate)}, err
	}
	secure, err := s.TLS.Client()
	if err != nil {
		return nil, err
	}
	secure.NextProtos = []string{"http/1.1"}
	return &directSender{
		dialer:      &net.Dialer{Timeout: s.Timeout, ControlContext: g.control},
		tls:         secure,
		maxResponse: s.MaxResponse,
		keep:        s.Concurrency,
		once:        !s.KeepAlive,
		pace:        newPace(s.MaxRate),
	}, nil
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// A Wrapper is a sender that hands on to another one.
type Wrapper interface{ Next() Sender }

// CloseIdle drops the connections that a sender does not use at the moment.
func CloseIdle(s Sender) {
	switch s := s.(type) {
	case Wrapper:
		CloseIdle(s.Next())
	case interface{ closeIdle() }:
		s.closeIdle()
	}
}

// Retire drops the connections of a sender and has it write nothing any more: no
// request that is still to be made, and not the rest of one that is under way.
func Retire(s Sender) {
	switch s := s.(type) {
	case Wrapper:
		Retire(s.Next())
	case interface{ retire() }:
		s.retire()
	default:
		CloseIdle(s)
	}
}

// Secured reports whether a service is called over TLS.
func Secured(s *config.Service) bool {
	return strings.EqualFold(s.URL[:min(len(s.URL), len("https:"))], "https:")
}

// SameClient reports whether two forms of a service can share a sender. Of the URL
// only counts what decides how it is reached.
func SameClient(a, b *config.Service) bool {
	return config.SameConnection(a, b) && isASCII(a.URL) == isASCII(b.URL) && Secured(a) == Secured(b)
}

// newTokenClient makes the client that asks for tokens. It trusts and shows the
// same certificates as the service's own, and is guarded likewise, but the
// service's server name is not the token endpoint's.
func newTokenClient(s *config.Service, g guard) (*http.Client, error) {
	secure, err := s.TLS.Client()
	if err != nil {
		return nil, err
	}
	secure.ServerName = ""
	transport, err := transportOf(s, g, secure)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       s.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Credentials returns the header by which a service shows who it is, where that
// is the same for every attempt; an empty name where there is none.
func Credentials(s *config.Service) (name, value string) {
	switch a := s.Auth; {
	case a.Basic != nil:
		return "Authorization", BasicAuth(a.Basic.User, a.Basic.Password.Value())
	case a.Header != nil:
		return a.Header.Name, a.Header.Value.Value()
	case a.Bearer.Set():
		return "Authorization", "Bearer " + a.Bearer.Value()
	}
	return "", ""
}

// BasicAuth is the Authorization header of a user with a password.
func BasicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// HostOf is the part of a URL that may be shown: its path and query may hold
// secrets.
func HostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "?"
	}
	return u.Host
}
