package hub

import (
	"fmt"
	"strings"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
)

const (
	linkPing   = 10 * time.Second // a hub that does not answer two of these is away
	hubUser    = "hub"            // of the gate, in the account that the hub is linked to
	hubAccount = "HUB"            // it shares nothing with that of the streams but what is copied
	linkSubs   = 100_000          // on one connection: more than the relay ever has, and the most that a hub may ask for
)

// uplink is what makes the embedded server a leaf node of a hub. One server at a
// time is started with it.
type uplink struct {
	linkSaid
	o        engine.HubOptions
	id       string // of the folder
	password string // of the gate
}

// Join gives the server its leaf node, with an account of its own for it.
func (u *uplink) Join(opts *natsserver.Options) error {
	remote, err := remote(u.o)
	if err != nil {
		return fmt.Errorf("link to hub: %w", err)
	}
	u.password = engine.NewPassword()
	account := natsserver.NewAccount(hubAccount)
	remote.LocalAccount = account.Name
	setLeafNode(opts, remote)
	opts.ServerName = "relay-" + u.id // by which a hub tells leaf nodes apart
	opts.MaxSubs, opts.Accounts = linkSubs, append(opts.Accounts, account)
	opts.PingInterval, opts.MaxPingsOut = linkPing, 2
	opts.Users = append(opts.Users, &natsserver.User{
		Username: hubUser, Password: engine.Hashed(u.password), Account: account,
		AllowedConnectionTypes: map[string]struct{}{"IN_PROCESS": {}},
	})
	return nil
}

// Open opens the one way from the streams to the hub's account, for what a copy
// delivers.
func (u *uplink) Open(ns *natsserver.Server) (*nats.Conn, error) {
	own := ns.GlobalAccount()
	hub, err := ns.LookupAccount(hubAccount)
	for _, start := range copyStarts(u.o.Name) {
		if err == nil {
			err = own.AddStreamExport(start+">", []*natsserver.Account{hub})
		}
		if err == nil {
			err = hub.AddStreamImport(own, start+">", "")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("link to hub: %w", err)
	}
	nc, err := engine.ConnectInside(ns, hubUser, u.password)
	if err != nil {
		return nil, fmt.Errorf("link to hub: %w", err)
	}
	return nc, nil
}

// linkSaid keeps the last thing that a leaf node said of its connection. It goes
// to the log once, by who watches the link.
type linkSaid struct {
	mu  sync.Mutex
	why string
}

// maxReason is how much of a reason is kept: a hub may say anything.
const maxReason = 200

// Takes keeps a line of the server's log, if it is of the link.
func (l *linkSaid) Takes(text string) bool {
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
