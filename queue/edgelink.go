package queue

import (
	"fmt"
	"strings"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	linkPing   = 10 * time.Second // a hub that does not answer two of these is away
	hubUser    = "hub"            // of the gate, in the account that the hub is linked to
	hubAccount = "HUB"            // it shares nothing with that of the streams but what is copied
	linkSubs   = 100_000          // on one connection: more than the relay ever has, and the most that a hub may ask for
)

// linkTo has the embedded server be a leaf node of a hub, with an account of its
// own for it. The password is that of the gate.
func linkTo(opts *natsserver.Options, o HubOptions, f *folder, password string) error {
	id, err := f.identity()
	if err != nil {
		return err
	}
	remote, err := o.remote()
	if err != nil {
		return fmt.Errorf("link to hub: %w", err)
	}
	account := natsserver.NewAccount(hubAccount)
	remote.LocalAccount = account.Name
	setLeafNode(opts, remote)
	opts.ServerName = "relay-" + id.ID // by which a hub tells leaf nodes apart
	opts.MaxSubs, opts.Accounts = linkSubs, append(opts.Accounts, account)
	opts.PingInterval, opts.MaxPingsOut = linkPing, 2
	opts.Users = append(opts.Users, &natsserver.User{
		Username: hubUser, Password: hashed(password), Account: account,
		AllowedConnectionTypes: map[string]struct{}{"IN_PROCESS": {}},
	})
	return nil
}

// linked opens the one way from the streams to the hub's account, for what a copy
// delivers.
func (e *engine) linked(edge, password string) error {
	own := e.ns.GlobalAccount()
	hub, err := e.ns.LookupAccount(hubAccount)
	for _, start := range copyStarts(edge) {
		if err == nil {
			err = own.AddStreamExport(start+">", []*natsserver.Account{hub})
		}
		if err == nil {
			err = hub.AddStreamImport(own, start+">", "")
		}
	}
	if err == nil {
		e.hub, err = nats.Connect("", nats.InProcessServer(e.ns), nats.UserInfo(hubUser, password), nats.MaxReconnects(-1),
			nats.ReconnectWait(100*time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	}
	if err != nil {
		return fmt.Errorf("link to hub: %w", err)
	}
	return nil
}

// linkSaid keeps the last thing that a leaf node said of its connection. It goes
// to the log once, by who watches the link.
type linkSaid struct {
	mu  sync.Mutex
	why string
}

// maxReason is how much of a reason is kept: a hub may say anything.
const maxReason = 200

// takes keeps a line of the server's log, if it is of the link.
func (l *linkSaid) takes(text string) bool {
	if !strings.Contains(text, " - lid:") && !strings.Contains(text, "leafnode") {
		return false
	}
	for _, lead := range []string{"): ", " - "} { // what comes before tells of attempts and addresses
		if i := strings.LastIndex(text, lead); i >= 0 {
			text = text[i+len(lead):]
		}
	}
	l.mu.Lock()
	l.why = text[:min(len(text), maxReason)]
	l.mu.Unlock()
	return true
}

// reason says why there is no connection, as far as it is known.
func (l *linkSaid) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		return "no answer"
	}
	return l.why
}
