package freeswitch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"callrelay/relay/source/freeswitch/esl"
)

// Times and bounds of a session.
const (
	pingInterval = 20 * time.Second
	askTimeout   = 2 * time.Second // for FreeSWITCH to answer
	maxListed    = 20_000          // channels that are asked for
)

// What is asked after connecting, in this order; the channels each thereafter.
const (
	askChannels = "show channels as json"
	askAgents   = "callcenter_config agent list"
	askCore     = "global_getvar core_uuid"
	askStatus   = "status"
	askPing     = "uptime"
)

// session is one connection to FreeSWITCH.
type session struct {
	source  *Source
	conn    *esl.Conn
	reason  string    // of the gap before it
	from    time.Time // since when nothing was heard
	began   time.Time // subscribed, by this machine's clock
	asked   []string  // commands whose answers are to come, in order
	next    []string  // channels to ask for
	ping    time.Time
	survey  survey
	overdue *time.Timer // fires when it does not answer
	settled bool        // the gap before it is reported
}

// Settled implements [source.Session].
func (n *session) Settled() bool {
	n.source.Lock()
	defer n.source.Unlock()
	return n.settled
}

// Run connects and reads until the connection breaks or ctx ends.
func (n *session) Run(ctx context.Context) error {
	o := n.source.o.Config
	conn, err := esl.Dial(ctx, o.Address, o.Password.Value())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	n.conn, n.began, n.ping = conn, time.Now(), time.Now()
	if err := n.ask(); err != nil {
		return err
	}
	n.overdue = time.AfterFunc(askTimeout, func() { n.unanswered(ctx) })
	n.source.Connected()
	return n.read()
}

// ask subscribes before it asks what goes on, so that nothing falls in between.
func (n *session) ask() error {
	if err := n.conn.Send("event plain HEARTBEAT " + strings.Join(channelEvents, " ") + " CUSTOM " + ccEvent); err != nil {
		return err
	}
	for _, command := range []string{askCore, askStatus, askChannels, askAgents} { // what is counted first, so that its list is newer
		if err := n.api(command); err != nil {
			return err
		}
	}
	return nil
}

func (n *session) api(command string) error {
	n.asked = append(n.asked, command)
	return n.conn.Send("api " + command)
}

// read drains the connection.
func (n *session) read() error {
	for {
		m, err := n.conn.Next()
		if errors.Is(err, esl.ErrTooLarge) {
			n.source.Missed(err)
			err = nil // it may be an answer: the next one is to the next command
		}
		switch now := time.Now(); {
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case m.Type == "command/reply" && strings.HasPrefix(m.Text, "-ERR"):
			return fmt.Errorf("subscribe: %.80s", m.Text)
		default:
			if err := n.take(m, now); err != nil {
				return err
			}
		}
	}
}

// take takes one message that came at now, and asks what is to be asked then.
func (n *session) take(m esl.Message, now time.Time) error {
	s := n.source
	s.Lock()
	defer s.Unlock()
	switch stamp := m.Stamp(); {
	case m.Type == "api/response":
		if err := n.answered(m.Text); err != nil {
			s.machine.Miss("%v", err)
		}
	case m.Name() != "" && !stamp.IsZero():
		s.ledger.meet(m.Get("FreeSWITCH-Switchname"), s.o.Config.Name)
		s.Heard(stamp, now)
		if n.settled {
			s.Put(s.machine.apply(m.Event, stamp))
			if m.Name() == "HEARTBEAT" {
				s.Put(s.machine.unsaid(stamp))
			}
		} else {
			n.survey.events, n.survey.bytes = append(n.survey.events, m.Event), n.survey.bytes+m.Bytes
		}
	}
	if len(n.asked)+len(n.next) == 0 || n.survey.bytes >= maxHeld {
		n.settle()
	}
	s.Touch()
	if now.Sub(n.ping) > pingInterval {
		n.ping = now
		return n.api(askPing)
	}
	return n.more()
}

// unanswered goes on without the answers, unless the session is over.
func (n *session) unanswered(ctx context.Context) {
	n.source.Lock()
	defer n.source.Unlock()
	if ctx.Err() == nil {
		n.settle()
		n.source.Touch()
	}
}

// settle reports the gap once, and what was heard since then.
func (n *session) settle() {
	if n.settled {
		return
	}
	n.settled = true
	n.source.Put(n.survey.reconcile(n.reason, n.from, n.began, len(n.asked)+len(n.next) == 0))
}

// more asks for the next channel, one after the other: what FreeSWITCH has to
// write at once stays small.
func (n *session) more() error {
	if n.settled || len(n.next) == 0 || len(n.asked) > 2 {
		return nil
	}
	id := n.next[0]
	n.next = n.next[1:]
	return n.api("uuid_dump " + id + " json")
}

// answered takes the answer to the oldest command.
func (n *session) answered(text string) error {
	if len(n.asked) == 0 {
		return nil
	}
	command := n.asked[0]
	n.asked = n.asked[1:]
	n.overdue.Reset(askTimeout)
	switch {
	case command == askChannels:
		return n.listed(text)
	case command == askCore && !strings.HasPrefix(text, "-ERR"):
		n.survey.core = strings.TrimSpace(text)
	case command == askStatus:
		n.survey.status = text
	case command == askAgents:
		n.survey.agents, n.survey.before = text, len(n.survey.events)
	case strings.HasPrefix(command, "uuid_dump ") && strings.HasPrefix(text, "{"):
		ev, err := esl.Dump(text)
		if err == nil {
			n.survey.dumps = append(n.survey.dumps, ev.Keep(dumped...))
		}
		return err
	}
	return nil
}

// listed takes the list of channels.
func (n *session) listed(text string) error {
	var list struct {
		Rows []struct {
			UUID string `json:"uuid"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return fmt.Errorf("read channels: %w", err)
	}
	n.survey.listed = true
	for _, row := range list.Rows[:min(len(list.Rows), maxListed)] {
		if row.UUID != "" && !strings.ContainsAny(row.UUID, " \r\n") {
			n.next = append(n.next, row.UUID)
		}
	}
	return nil
}
