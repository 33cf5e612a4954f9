package hub

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const linkPayload = 10 << 20 // the largest record, and its headers

// outlink is a leaf node of a hub by itself: a server without streams in this
// process, for who operates the hub.
type outlink struct {
	ns   *natsserver.Server
	nc   *nats.Conn
	said linkSaid
}

// openLink starts the leaf node. It connects, and connects again, by itself.
// The name tells leaf nodes of a hub apart.
func openLink(ctx context.Context, o engine.HubOptions, name string) (*outlink, error) {
	remote, err := remote(o)
	if err != nil {
		return nil, fmt.Errorf("link to hub: %w", err)
	}
	l := &outlink{}
	opts := &natsserver.Options{ServerName: name, NoSigs: true, DontListen: true, NoSystemAccount: true, MaxPayload: linkPayload}
	setLeafNode(opts, remote)
	if l.ns, err = startNode(ctx, opts, &linkLog{l: &l.said}); err != nil {
		return nil, fmt.Errorf("link to hub: %w", err)
	}
	l.nc, err = nats.Connect("", nats.InProcessServer(l.ns), nats.CustomInboxPrefix(answerPrefix),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		l.close()
		return nil, fmt.Errorf("link to hub: %w", err)
	}
	return l, nil
}

// setLeafNode has a server connect to a hub.
func setLeafNode(opts *natsserver.Options, remote *natsserver.RemoteLeafOpts) {
	opts.LeafNode = natsserver.LeafNodeOpts{ReconnectInterval: time.Second, Remotes: []*natsserver.RemoteLeafOpts{remote}}
	opts.ConnectErrorReports, opts.ReconnectErrorReports = 1, 1
}

// remote is the hub as the server knows it. Servers that the hub names are not
// tried: the operator of the edge says where it connects to.
func remote(o engine.HubOptions) (*natsserver.RemoteLeafOpts, error) {
	r := &natsserver.RemoteLeafOpts{IgnoreDiscoveredServers: true, DialTimeout: engine.DialTimeout}
	user := login(o, r)
	for _, text := range o.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("url: %w", err.(*url.Error).Err) //nolint:errorlint // it is what Parse returns, and holds the URL
		}
		r.TLS = r.TLS || u.Scheme == "tls" || u.Scheme == "wss"
		u.User = cmp.Or(u.User, user)
		r.URLs = append(r.URLs, u)
	}
	if o.TLS != nil {
		secure, err := o.TLS()
		if err != nil {
			return nil, err
		}
		r.TLS, r.TLSConfig = true, secure
	} else if r.TLS {
		r.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return r, nil
}

// login reads the credentials; what it returns belongs into the URLs.
func login(o engine.HubOptions, r *natsserver.RemoteLeafOpts) *url.Userinfo {
	var client nats.Options
	for _, option := range engine.Credentials(o.Credentials) {
		_ = option(&client) // those of package nats return nil
	}
	switch {
	case client.UserJWT != nil:
		r.SignatureCB = func(nonce []byte) (string, []byte, error) {
			jwt, err := client.UserJWT()
			if err != nil {
				return "", nil, err
			}
			signature, err := client.SignatureCB(nonce)
			return jwt, signature, err
		}
	case client.User != "":
		return url.UserPassword(client.User, client.Password)
	case client.Token != "":
		return url.User(client.Token)
	}
	return nil
}

// up reports whether the hub is connected.
func (l *outlink) up() bool { return l.ns.NumLeafNodes() > 0 }

func (l *outlink) close() {
	if l.nc != nil {
		l.nc.Close()
	}
	l.ns.Shutdown()
	l.ns.WaitForShutdown()
}

// linkLog is the log of a server that has nothing to say but of its link.
type linkLog struct{ l *linkSaid }

func (l *linkLog) Errorf(format string, v ...any) { l.l.Takes(fmt.Sprintf(format, v...)) }
func (l *linkLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }
func (l *linkLog) Warnf(string, ...any)           {}
func (l *linkLog) Noticef(string, ...any)         {}
func (l *linkLog) Debugf(string, ...any)          {}
func (l *linkLog) Tracef(string, ...any)          {}

// startNode starts a server without streams.
func startNode(ctx context.Context, o *natsserver.Options, log natsserver.Logger) (*natsserver.Server, error) {
	ns, err := natsserver.NewServer(o)
	if err != nil {
		return nil, err
	}
	ns.SetLoggerV2(log, false, false, false)
	ns.Start() // listens nowhere, so it does not block
	if ctx.Err() == nil && ns.ReadyForConnections(engine.RequestTimeout) {
		return ns, nil
	}
	ns.Shutdown()
	return nil, cmp.Or(ctx.Err(), record.ErrUnavailable)
}
