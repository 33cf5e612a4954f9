package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// A reply is one line that intake answers on a newline-delimited connection.
type reply struct {
	Accepted   bool     `json:"accepted"`
	ID         string   `json:"id"`
	IDs        []string `json:"ids"`
	Error      string   `json:"error"`
	Field      string   `json:"field"`
	Status     int      `json:"status"`
	RetryAfter int      `json:"retry_after"`
}

// A line is a newline-delimited connection to the intake socket.
type line struct {
	net.Conn
	replies *bufio.Scanner
}

func (r *relay) dial() (*line, error) {
	c, err := net.Dial("unix", filepath.Join(r.dir, "relay.sock"))
	if err != nil {
		return nil, err
	}
	return &line{c, bufio.NewScanner(c)}, nil
}

// send writes events and reads as many replies. It returns what was answered before the connection broke.
func (l *line) send(events ...string) ([]reply, error) {
	go io.WriteString(l, strings.Join(events, "\n")+"\n") //nolint:errcheck // a broken connection shows in the replies
	replies := make([]reply, 0, len(events))
	for range events {
		if !l.replies.Scan() {
			return replies, io.ErrUnexpectedEOF
		}
		var a reply
		if err := json.Unmarshal(l.replies.Bytes(), &a); err != nil {
			return replies, err
		}
		replies = append(replies, a)
	}
	return replies, nil
}

// accept sends events and fails the test unless each is accepted. It returns their ids.
func (r *relay) accept(events ...string) []string {
	r.t.Helper()
	l, err := r.dial()
	if err != nil {
		r.t.Fatal(err)
	}
	defer l.Close()
	replies, err := l.send(events...)
	if err != nil {
		r.t.Fatal(err)
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

// post sends one HTTP request to the intake socket and returns status and body.
func (r *relay) post(contentType, body string) (int, string) {
	r.t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(r.dir, "relay.sock"))
		},
	}}
	resp, err := client.Post("http://relay/v1/events", contentType, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// numbered returns n events of the given name with ids prefix-0 … prefix-(n-1).
func numbered(prefix, name string, n int) []string {
	events := make([]string, n)
	for i := range events {
		events[i] = fmt.Sprintf(`{"event":%q,"queue":"support","id":"%s-%d","n":%d}`, name, prefix, i, i)
	}
	return events
}

// service is a [[service]] with a JSON body and a binding to agent_termination.
func service(name, url, more string) string {
	return fmt.Sprintf("[[service]]\nname = %q\nurl = %q\njson = '{\"n\":\"#n#\"}'\n%s\n", name, url, more) + binding(name)
}

func binding(service string) string {
	return fmt.Sprintf("[[binding]]\nevent = \"agent_termination\"\nservice = %q\n", service)
}

func wantAll(t testing.TB, r *receiver, ids []string) {
	t.Helper()
	got := r.counts()
	for _, id := range ids {
		if got[id] == 0 {
			t.Errorf("acknowledged event %s never arrived", id)
		}
	}
}
