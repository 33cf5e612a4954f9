package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"callrelay/queue"
	"callrelay/relay/unixsock"
)

// ErrNotRunning says that no relay serves the admin socket.
var ErrNotRunning = errors.New("no relay runs here")

// Client asks a running relay through its admin socket. It is safe for
// concurrent use. Each method returns an error that is [ErrNotRunning] when
// nobody serves the socket.
type Client struct {
	path string
	err  error // why there is no path
	http *http.Client
}

// NewClient makes a client for the admin socket at path. It does not connect. An
// error of who looked for the path is what each request returns.
func NewClient(path string, err error) *Client {
	return &Client{path: path, err: err, http: unixsock.Client(path)}
}

// Status asks for the relay's state.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Reload has the relay read its configuration again and says what came of it.
func (c *Client) Reload(ctx context.Context) (Reload, error) {
	return ask[Reload](ctx, c, http.MethodPost, "/v1/reload", nil)
}

// Plan says what a reload would do, and changes nothing.
func (c *Client) Plan(ctx context.Context) (Plan, error) {
	return ask[Plan](ctx, c, http.MethodGet, "/v1/reload", nil)
}

// Change does one of [Pause], [Resume], [Probe] and [Drop] to a service, and
// returns how many deliveries became dead letters.
func (c *Client) Change(ctx context.Context, service, change, why string) (int, error) {
	path := servicePath(service, change+"?"+url.Values{"why": {why}}.Encode())
	p, err := ask[progress](ctx, c, http.MethodPost, path, nil)
	return p.Count, err
}

// Test makes one attempt at a service now, outside the queue.
func (c *Client) Test(ctx context.Context, service string, event []byte) (Transcript, error) {
	return ask[Transcript](ctx, c, http.MethodPost, servicePath(service, "test"), event)
}

// Transcripts returns the exchanges kept while debug was on, newest first.
func (c *Client) Transcripts(ctx context.Context, service string, limit int) ([]Transcript, error) {
	return ask[[]Transcript](ctx, c, http.MethodGet, servicePath(service, "debug?max="+strconv.Itoa(limit)), nil)
}

// Tail calls visit for each attempt from now on, until ctx ends or the relay
// stops. An empty service stands for all.
func (c *Client) Tail(ctx context.Context, service string, visit func(Attempt)) error {
	path := "/v1/tail?" + url.Values{"service": {service}}.Encode()
	return each(ctx, c, http.MethodGet, path, func(a Attempt) bool { visit(a); return true })
}

// Letters calls visit for each dead letter, oldest first, until it returns
// false. Bodies are left out unless asked for.
func (c *Client) Letters(ctx context.Context, f Filter, bodies bool, visit func(Letter) bool) error {
	q := f.Query()
	if bodies {
		q.Set("body", "1")
	}
	return each(ctx, c, http.MethodGet, "/v1/dead?"+q.Encode(), visit)
}

// Letter returns the dead letters that match, whole, with what is kept of how they
// came to be dead.
func (c *Client) Letter(ctx context.Context, f Filter) (found []Letter, err error) {
	q := f.Query()
	q.Set("body", "1")
	q.Set("story", "1")
	err = each(ctx, c, http.MethodGet, "/v1/dead?"+q.Encode(), func(l Letter) bool {
		found = append(found, l)
		return true
	})
	return found, err
}

// Move does [Replay] or [DropLetters] to dead letters and reports the progress.
func (c *Client) Move(ctx context.Context, change string, f Filter, report func(count int)) (Moved, error) {
	p, err := c.move(ctx, "/v1/dead/"+change+"?"+f.Query().Encode(), report)
	return Moved{p.Count, p.Orphaned}, err
}

// Doctor has the relay look through its queue.
func (c *Client) Doctor(ctx context.Context) ([]queue.Finding, error) {
	return ask[[]queue.Finding](ctx, c, http.MethodGet, "/v1/doctor", nil)
}

func (c *Client) move(ctx context.Context, path string, report func(int)) (progress, error) {
	var last progress
	err := each(ctx, c, http.MethodPost, path, func(p progress) bool {
		last = p
		report(p.Count)
		return true
	})
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case err == nil && !last.Done, errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the relay stopped before it was done")
	}
	return last, err
}

func servicePath(service, rest string) string {
	return "/v1/services/" + url.PathEscape(service) + "/" + rest
}

// ask makes one request and decodes its one answer.
func ask[T any](ctx context.Context, c *Client, method, path string, body []byte) (T, error) {
	var answer T
	reply, err := c.send(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	defer reply.Body.Close()
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read answer of relay: %w", err)
	}
	return answer, nil
}

// each makes one request and visits the lines of its answer.
func each[T any](ctx context.Context, c *Client, method, path string, visit func(T) bool) error {
	reply, err := c.send(ctx, method, path, nil)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	decoder := json.NewDecoder(reply.Body)
	for {
		var line json.RawMessage
		if err := decoder.Decode(&line); err != nil {
			return endOf(ctx, err)
		}
		var f failure
		if json.Unmarshal(line, &f) == nil && f.Failed != "" {
			return errors.New(f.Failed)
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("read answer of relay: %w", err)
		}
		if !visit(v) {
			return nil
		}
	}
}

// endOf is nil for an answer that ended as it should, or because of ctx.
func endOf(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("read answer of relay: %w", err)
}

// send makes a request. Its answer says that it was accepted.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	if c.err != nil {
		return nil, c.err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://relay"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	reply, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if reply.StatusCode == http.StatusOK {
		return reply, nil
	}
	defer reply.Body.Close()
	var f failure
	if err := json.NewDecoder(reply.Body).Decode(&f); err != nil || f.Failed == "" {
		return nil, fmt.Errorf("relay answered %s", reply.Status)
	}
	return nil, errors.New(f.Failed)
}

func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nobody serves %s", ErrNotRunning, c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open %s: permission denied: only root and the relay's own user may", c.path)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("the relay stopped before it answered")
	default:
		return fmt.Errorf("ask relay: %w", err)
	}
}
