package trial

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// A Reply is one line that intake answers on a newline-delimited connection.
type Reply struct {
	Accepted   bool     `json:"accepted"`
	ID         string   `json:"id"`
	IDs        []string `json:"ids"`
	Error      string   `json:"error"`
	Field      string   `json:"field"`
	Status     int      `json:"status"`
	RetryAfter int      `json:"retry_after"`
}

// A Line is a newline-delimited connection to the intake socket.
type Line struct {
	net.Conn
	replies *bufio.Scanner
}

// Dial connects to the intake socket.
func (r *Relay) Dial() (*Line, error) {
	c, err := net.Dial("unix", r.Path("relay.sock"))
	if err != nil {
		return nil, err
	}
	return &Line{c, bufio.NewScanner(c)}, nil
}

// Send writes events, all at once, and reads as many replies. It returns what was answered before the connection broke.
func (l *Line) Send(events ...string) ([]Reply, error) {
	go io.WriteString(l, strings.Join(events, "\n")+"\n") //nolint:errcheck // a broken connection shows in the replies
	replies := make([]Reply, 0, len(events))
	for range events {
		if !l.replies.Scan() {
			return replies, io.ErrUnexpectedEOF
		}
		var a Reply
		if err := json.Unmarshal(l.replies.Bytes(), &a); err != nil {
			return replies, err
		}
		replies = append(replies, a)
	}
	return replies, nil
}

// Accept sends events and fails the trial unless each is accepted. It returns their ids.
func (r *Relay) Accept(events ...string) []string {
	r.t.Helper()
	l, err := r.Dial()
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	defer l.Close() //nolint:errcheck // all was answered
	replies, err := l.Send(events...)
	if err != nil {
		r.t.Fatalf("%d of %d events answered: %v", len(replies), len(events), err)
	}
	var ids []string
	for i, a := range replies {
		if !a.Accepted {
			r.t.Fatalf("event %d refused: %+v", i, a)
		}
		ids = append(ids, a.IDs...)
	}
	return ids
}

// Client returns an HTTP client whose every request goes to the intake socket.
func (r *Relay) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", r.Path("relay.sock"))
		},
	}}
}

// Post sends one HTTP request to the intake socket and returns status and body.
func (r *Relay) Post(contentType, body string) (int, string) {
	r.t.Helper()
	client := r.Client()
	defer client.CloseIdleConnections()
	resp, err := client.Post("http://relay/v1/events", contentType, strings.NewReader(body))
	if err != nil {
		r.t.Fatalf("%v", err)
		return 0, ""
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	return resp.StatusCode, string(answer)
}

// Numbered returns n events of the given name with the ids prefix-0 to prefix-(n-1).
func Numbered(prefix, name string, n int) []string {
	events := make([]string, n)
	for i := range events {
		events[i] = fmt.Sprintf(`{"event":%q,"queue":"support","id":"%s-%d","n":%d}`, name, prefix, i, i)
	}
	return events
}

// Service returns a [[service]] with a JSON body and more keys, and its binding to agent_termination.
func Service(name, url, more string) string {
	return fmt.Sprintf("[[service]]\nname = %q\nurl = %q\njson = '{\"n\":\"#n#\"}'\n%s\n", name, url, more) + Binding(name)
}

// Binding returns the [[binding]] of agent_termination to a service.
func Binding(service string) string {
	return fmt.Sprintf("[[binding]]\nevent = \"agent_termination\"\nservice = %q\n", service)
}
