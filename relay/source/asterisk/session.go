package asterisk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// Times of a session.
const (
	PingInterval = 15 * time.Second // ami.IdleTimeout holds three
	listTimeout  = 10 * time.Second // for Asterisk to list its channels
)

// maxListed bounds each list that Asterisk is asked for: its channels, its
// queues and their members.
const maxListed = 50_000

// classes are the events a login asks for. The user's rights and filters in
// manager.conf narrow them further.
const classes = "system,call,agent,user,dialplan"

// The actions whose answers a session waits for, by ActionID.
const (
	pingID     = "relay-ping"
	channelsID = "relay-channels"
	queuesID   = "relay-queues"
	fileID     = "relay-file-" // and the leg's Uniqueid
)

// session is one connection to Asterisk.
type session struct {
	source  *Source
	reason  string                   // of the gap before it
	from    time.Time                // since when nothing was heard
	began   time.Time                // logged in, by this machine's clock
	resumed bool                     // Asterisk's clock is known
	settled bool                     // the gap before it is reported
	lists   map[string][]ami.Message // of what was asked for, by ActionID
}

// Settled implements [source.Session].
func (n *session) Settled() bool { return n.settled }

// Run connects and reads until the connection breaks or ctx ends.
func (n *session) Run(ctx context.Context) error {
	o := n.source.o.Config
	var encrypted *tls.Config // its files are read at each connection: a new certificate needs no reload
	if o.TLS != nil {
		var err error
		if encrypted, err = o.TLS.Client(); err != nil {
			return err
		}
	}
	conn, err := ami.Dial(ctx, ami.Options{
		Address: o.Address, User: o.User, Secret: o.Password.Value(), TLS: encrypted, Events: classes,
	})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	n.began = time.Now()
	n.source.Connected()
	if err := n.ask(conn); err != nil {
		return err
	}
	return n.read(ctx, conn)
}

// ask asks for Asterisk's clock and for what goes on.
func (n *session) ask(conn *ami.Conn) error {
	return errors.Join(
		conn.Send("Ping", ami.Header{Name: "ActionID", Value: pingID}),
		conn.Send("QueueStatus", ami.Header{Name: "ActionID", Value: queuesID}),
		conn.Send("CoreShowChannels", ami.Header{Name: "ActionID", Value: channelsID}))
}

// read drains the connection. Beside it, pings keep a stalled one from looking
// idle.
func (n *session) read(ctx context.Context, conn *ami.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	var pinging sync.WaitGroup
	pinging.Go(func() {
		for source.Wait(ctx, PingInterval); ctx.Err() == nil; source.Wait(ctx, PingInterval) {
			if conn.Send("Ping", ami.Header{Name: "ActionID", Value: pingID}) != nil {
				return // reading fails too
			}
		}
	})
	defer func() { cancel(); conn.Close(); pinging.Wait() }()
	for {
		m, err := conn.Next()
		switch {
		case errors.Is(err, ami.ErrTooLarge):
			n.source.Missed(err)
		case err != nil:
			return fmt.Errorf("read: %w", err)
		default:
			for _, l := range n.source.take(n, m, time.Now()) {
				err = errors.Join(err, conn.Send("Getvar", ami.Header{Name: "ActionID", Value: fileID + l.ID},
					ami.Header{Name: "Channel", Value: l.Channel}, ami.Header{Name: "Variable", Value: fileVariable}))
			}
			if err != nil {
				return err
			}
		}
	}
}

// take takes one message that came at now: into the machine, and what the
// machine makes of it into the spool. It returns the legs of which the name of
// the recording is to be asked.
func (s *Source) take(n *session, m ami.Message, now time.Time) (ask []leg) {
	s.Lock()
	defer s.Unlock()
	stamp := m.Stamp()
	if !stamp.IsZero() {
		s.Heard(stamp, now)
		s.Put(n.resume(s.machine, stamp))
	} else {
		stamp = now // timestampevents is off, or m answers an action
	}
	switch id, isFile := strings.CutPrefix(m.Get("ActionID"), fileID); {
	case isFile:
		s.machine.named(id, m.Get("Value"))
	case m.Event() != "" && !n.collect(m) && n.resumed:
		s.Put(s.machine.apply(m, stamp))
	}
	s.machine.hearing.denied = s.machine.hearing.denied || n.refused(m)
	if !n.settled && n.due(m, now) {
		s.Put(n.settle(s.machine, m))
		for _, l := range s.machine.unnamed() {
			ask = append(ask, leg{ID: l.ID, Channel: l.Channel})
		}
	}
	s.Limited(s.machine.hearing.limits())
	s.Touch()
	return ask
}

// resume gives the machine once from when on it hears all, by Asterisk's own
// clock.
func (n *session) resume(m *machine, stamp time.Time) []source.Event {
	if n.resumed {
		return m.tick(stamp)
	}
	n.resumed = true
	m.hearing = hearing{}
	afterGap{m}.resume(stamp)
	return nil
}

// collect keeps what belongs to the lists that were asked for, but no more than
// any Asterisk has, and reports whether the event does.
func (n *session) collect(m ami.Message) bool {
	id := m.Get("ActionID")
	if asked := id == queuesID || id == channelsID && !n.listed(m); asked && !n.settled && len(n.lists[id]) < maxListed {
		n.lists[id] = append(n.lists[id], m)
	}
	return id != "" && m.Event() != "UserEvent"
}

// due reports whether the gap before the session can be reported: Asterisk has
// listed its channels, will not, or does not answer.
func (n *session) due(m ami.Message, now time.Time) bool {
	return n.resumed && (n.listed(m) || n.refused(m) || now.Sub(n.began) > listTimeout)
}

func (n *session) listed(m ami.Message) bool {
	return m.Event() == "CoreShowChannelsComplete" && m.Get("ActionID") == channelsID
}

func (n *session) refused(m ami.Message) bool {
	return m.Get("Response") == "Error" && m.Get("ActionID") == channelsID
}

// settle reports the gap.
func (n *session) settle(m *machine, last ami.Message) []source.Event {
	n.settled = true
	defer clear(n.lists)
	if n.listed(last) {
		return afterGap{m}.reconcile(n.reason, n.from, n.lists[channelsID], n.lists[queuesID])
	}
	return afterGap{m}.unreconciled(n.reason, n.from)
}
