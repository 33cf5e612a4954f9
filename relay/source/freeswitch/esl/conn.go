// Package esl speaks the event socket of FreeSWITCH, as a client of its inbound
// mode: it logs in, sends commands and reads their answers and the events
// between them.
package esl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds and times of a connection.
const (
	MaxMessage  = 4 << 20          // longer bodies are passed over
	maxHeader   = 64 << 10         // of the lines around a body
	IdleTimeout = 60 * time.Second // FreeSWITCH beats its heart every 20 s
	loginTime   = 10 * time.Second
	writeTime   = 10 * time.Second
)

// ErrTooLarge says that a message was passed over. The connection goes on.
var ErrTooLarge = errors.New("message longer than 4 MiB")

// Message is what the server sent: an event, or the answer to a command.
type Message struct {
	Type  string // text/event-plain, api/response, command/reply, ...
	Text  string // of an answer
	Bytes int    // of its body
	Event
}

// Event is an event, or what is known of a channel.
type Event struct {
	values  map[string]string
	escaped bool
}

// Get returns a value, without its encoding; what is not UTF-8 is replaced.
// Empty: it is not there.
func (e Event) Get(name string) string {
	value := e.values[name]
	if e.escaped {
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
	}
	return strings.Clone(strings.ToValidUTF8(value, "\uFFFD")) // value is part of the whole event
}

// Keep returns an event with some of the values only.
func (e Event) Keep(names ...string) Event {
	kept := Event{values: make(map[string]string, len(names)), escaped: e.escaped}
	for _, name := range names {
		if value, ok := e.values[name]; ok {
			kept.values[name] = strings.Clone(value)
		}
	}
	return kept
}

// Name is that of the event; of a custom one, its subclass. Empty: no event.
func (e Event) Name() string {
	if name := e.Get("Event-Name"); name != "CUSTOM" {
		return name
	}
	return e.Get("Event-Subclass")
}

// Stamp is when the event happened, by FreeSWITCH's clock; zero: not known.
func (e Event) Stamp() time.Time { return e.Time("Event-Date-Timestamp") }

// Time reads a value in microseconds; zero: there is none.
func (e Event) Time(name string) time.Time {
	n, err := strconv.ParseInt(e.values[name], 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// Dump reads the answer to uuid_dump UUID json. A variable that is a list is
// left out.
func Dump(text string) (Event, error) {
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return Event{}, fmt.Errorf("read channel: %w", err)
	}
	e := Event{values: make(map[string]string, len(all))}
	for name, value := range all {
		if text, ok := value.(string); ok {
			e.values[name] = text
		}
	}
	return e, nil
}

// Conn is a connection. Next is for one goroutine, and Send for one.
type Conn struct {
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects and logs in.
func Dial(ctx context.Context, address, password string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &Conn{conn: nc, in: bufio.NewReaderSize(nc, maxHeader)}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	err = c.login(password)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) login(password string) error {
	m, err := c.Next()
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if m.Type != "auth/request" {
		return fmt.Errorf("log in: no event socket: %.40q", m.Type)
	}
	if strings.ContainsAny(password, "\r\n") {
		return errors.New("log in: the password has a line end")
	}
	if err := c.Send("auth " + password); err != nil {
		return err
	}
	if m, err = c.Next(); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if !strings.HasPrefix(m.Text, "+OK") {
		return fmt.Errorf("log in: %.80s", m.Text)
	}
	return nil
}

// Send sends a command.
func (c *Conn) Send(command string) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := io.WriteString(c.conn, command+"\n\n"); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Next reads the next message. After [ErrTooLarge] there may be more; after
// any other error the connection is of no more use.
func (c *Conn) Next() (Message, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(IdleTimeout)); err != nil {
		return Message{}, err
	}
	head, err := c.headers()
	if err != nil {
		return Message{}, err
	}
	m := Message{Type: head["Content-Type"], Text: head["Reply-Text"]}
	length, err := strconv.ParseInt("0"+head["Content-Length"], 10, 64)
	if err != nil {
		return m, fmt.Errorf("a length of %.20q", head["Content-Length"])
	}
	if length > MaxMessage {
		if _, err := io.CopyN(io.Discard, c.in, length); err != nil {
			return m, err
		}
		return m, ErrTooLarge
	}
	m.Bytes = int(length)
	body := make([]byte, length)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return m, err
	}
	switch m.Type {
	case "text/disconnect-notice":
		return m, io.EOF
	case "text/event-plain":
		m.Event = Parse(string(body))
	case "api/response":
		m.Text = string(body)
	}
	return m, nil
}

// headers reads the lines before a body, up to the empty one.
func (c *Conn) headers() (map[string]string, error) {
	var all bytes.Buffer
	for all.Len() < maxHeader {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			all.Write(line)
		} else if all.Len() > 0 { // else it is between two messages
			return fields(all.String()), nil
		}
	}
	return nil, errors.New("no event socket: headers without end")
}

// fields reads the lines of an event, up to an empty one: its body.
func fields(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			values[name] = strings.TrimPrefix(value, " ")
		}
	}
	return values
}

// Parse reads an event as it stands on the wire.
func Parse(body string) Event { return Event{values: fields(body), escaped: true} }
