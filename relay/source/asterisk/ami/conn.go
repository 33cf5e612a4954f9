package ami

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Times of a connection.
const (
	DialTimeout  = 10 * time.Second // to connect, greet and log in
	WriteTimeout = 10 * time.Second // of one action
	IdleTimeout  = 45 * time.Second // without one byte: the connection is dead. Three pings are due meanwhile
)

// ErrRefused is a login that Asterisk did not accept.
var ErrRefused = errors.New("login refused")

// ErrTooOld is an Asterisk whose events say too little: those of 11 and older
// name no call.
var ErrTooOld = errors.New("the call server is too old: Asterisk 12 or newer is needed")

// greeting is what every manager interface says first.
const greeting = "Asterisk Call Manager/"

// Options says where to connect and as whom.
type Options struct {
	Address string // host:port
	User    string
	Secret  string
	TLS     *tls.Config // nil: plain TCP
	Events  string      // classes of events to be sent, as in manager.conf; "on": all that the user may read
}

// Conn is a logged-in connection. Send may be called from several goroutines,
// Next from one.
type Conn struct {
	net.Conn
	reader *Reader
	idle   time.Duration

	mu sync.Mutex // one action at a time on the wire
}

// Dial connects and logs in. The error is [ErrRefused] when Asterisk does not
// know the user or the secret. It never contains the secret.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, DialTimeout, fmt.Errorf("no answer within %s", DialTimeout))
	defer cancel()
	raw, err := dial(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: raw, reader: NewReader(raw), idle: IdleTimeout}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if err := c.login(o); err != nil {
		raw.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("log in at %s: %w", o.Address, err)
	}
	return c, nil
}

func dial(ctx context.Context, o Options) (net.Conn, error) {
	if o.TLS != nil {
		return (&tls.Dialer{Config: o.TLS}).DialContext(ctx, "tcp", o.Address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", o.Address)
}

func (c *Conn) login(o Options) error {
	if err := c.greeted(); err != nil {
		return err
	}
	err := c.Send("Login",
		Header{"Username", o.User}, Header{"Secret", o.Secret}, Header{"Events", o.Events})
	if err != nil {
		return err
	}
	for {
		m, err := c.reader.Next()
		switch {
		case err != nil:
			return err
		case m.Get("Response") == "Success":
			return nil
		case m.Get("Response") != "":
			return fmt.Errorf("%w: %.80q", ErrRefused, strings.ReplaceAll(m.Get("Message"), o.Secret, "***"))
		}
	}
}

// greeted reads the greeting, so that another service than a manager
// interface is distinguished from one that does not answer.
func (c *Conn) greeted() error {
	for n := range len(greeting) { // what says something shorter, and waits, is distinguished too
		start, err := c.reader.lines.Peek(n + 1)
		if err != nil {
			return err
		}
		if start[n] != greeting[n] {
			return errors.New("not a manager interface")
		}
	}
	line, _, err := c.reader.line()
	if version, ok := strings.CutPrefix(string(line), greeting); ok && strings.HasPrefix(version, "1.") {
		return ErrTooOld
	}
	return err
}

// Send writes one action. Line ends in the values are refused.
func (c *Conn) Send(action string, headers ...Header) error {
	var text strings.Builder
	text.WriteString("Action: " + action + "\r\n")
	for _, h := range headers {
		if strings.ContainsAny(h.Name+h.Value, "\r\n") {
			return fmt.Errorf("send %s: line end in %s", action, h.Name)
		}
		text.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	text.WriteString("\r\n")

	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
		return err
	}
	_, err := io.WriteString(c.Conn, text.String())
	return err
}

// Next returns the next message. The error is [ErrTooLarge] after a message
// was skipped; any other one ends the connection, silence for [IdleTimeout]
// among them.
func (c *Conn) Next() (Message, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return nil, err
	}
	return c.reader.Next()
}
