package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/record"
)

// DialTimeout is how long a connection may take to be made.
const (
	DialTimeout  = 2 * time.Second
	pingInterval = 2 * time.Second // a server that does not answer two of these is left
)

// Connect connects to any of the servers of a cluster.
func Connect(o Options) (*Engine, error) {
	eng := &Engine{}
	options := []nats.Option{
		nats.Name("relay"), nats.NoReconnect(), nats.Timeout(DialTimeout),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2), nats.CustomInboxPrefix(InboxPrefix(OwnUser)),
	}
	if o.TLS != nil {
		secure, err := o.TLS()
		if err != nil {
			return nil, fmt.Errorf("connect to cluster: %w", err)
		}
		options = append(options, nats.Secure(secure))
	}
	options = append(options, Credentials(o.Credentials)...)
	if err := eng.dial(&api{site: o.Site}, strings.Join(o.Servers, ","), options...); err != nil {
		eng.Stop()
		return nil, fmt.Errorf("%w: connect to cluster: %w", record.ErrUnavailable, err)
	}
	return eng, nil
}

// Credentials reads what the cluster asks for.
func Credentials(text string) []nats.Option {
	user, password, pair := strings.Cut(strings.TrimSpace(text), ":")
	switch {
	case text == "":
		return nil
	case strings.Contains(text, "BEGIN NATS USER JWT"):
		return []nats.Option{nats.UserCredentialBytes([]byte(text))}
	case pair:
		return []nats.Option{nats.UserInfo(user, password)}
	}
	return []nats.Option{nats.Token(strings.TrimSpace(text))}
}

// Down reports whether a connection is closed.
func (e *Engine) Down() bool { return e.NC.IsClosed() || e.Pub.IsClosed() || e.Log.IsClosed() }
