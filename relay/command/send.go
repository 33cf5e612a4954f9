package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/spf13/cobra"

	"callrelay/relay/daemon"
	"callrelay/relay/unixsock"
	"callrelay/relay/web"
)

// One request of send. The intake takes 1,000 events and 8 MiB.
const (
	sendEvents = 500
	sendBytes  = 4 << 20
)

func (a *app) sendCommand() *cobra.Command {
	format := formatEvents
	cmd := &cobra.Command{
		Use:   "send [FILE|-]",
		Short: "Send events to the running relay and print their ids",
		Long:  "Send events to the running relay and print their ids once they are on disk.\nThe file, or the standard input, holds JSON objects: one, an array of them,\nor one after the other.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.send(cmd.Context(), format, args)
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "what the file holds: events, or a freeswitch call detail record as mod_json_cdr spools it")
	return cmd
}

// What a file to send may hold.
const (
	formatEvents     = "events"
	formatFreeSWITCH = "freeswitch"
)

func (a *app) send(ctx context.Context, format string, args []string) error {
	if format != formatEvents && format != formatFreeSWITCH {
		return usageError{fmt.Errorf("format %q is not allowed (%s, %s)", format, formatEvents, formatFreeSWITCH)}
	}
	in := a.in
	if len(args) == 1 && args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	socket, err := a.socketOf("intake", packagePlace+"relay.sock")
	if err != nil {
		return err
	}
	s := sender{client: unixsock.Client(socket), socket: socket, out: bufio.NewWriter(a.out)}
	defer s.out.Flush()
	if format == formatFreeSWITCH {
		return s.sendDocument(ctx, in)
	}
	return s.sendAll(ctx, in)
}

// sender posts events in requests of bounded size.
type sender struct {
	client *http.Client
	socket string
	out    *bufio.Writer
	batch  bytes.Buffer
	count  int // events in batch
	sent   int // events accepted so far
}

// sendAll sends the events of an array, or those that come one after the other.
func (s *sender) sendAll(ctx context.Context, in io.Reader) error {
	decoder := jsontext.NewDecoder(in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // the intake finds their place
	array := decoder.PeekKind() == '['
	if array {
		_, _ = decoder.ReadToken()
	}
	for !array || decoder.PeekKind() != ']' {
		event, err := decoder.ReadValue()
		switch {
		case errors.Is(err, io.EOF) && !array && s.sent+s.count == 0:
			return errors.New("no events to send")
		case errors.Is(err, io.EOF) && !array:
			return s.flush(ctx)
		case array && errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("read events: %w", err)
		case err != nil:
			return fmt.Errorf("read event %d: %w", s.sent+s.count+1, err)
		}
		if err := s.add(ctx, event); err != nil {
			return err
		}
	}
	return s.flush(ctx)
}

// add adds one event to the batch, and sends the batch when it is full.
func (s *sender) add(ctx context.Context, event jsontext.Value) error {
	if s.count == sendEvents || s.batch.Len()+len(event) > sendBytes {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	event = event.Clone()                                                                  // it is the decoder's
	_ = event.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // it was read as JSON
	s.batch.Write(append(event, '\n'))
	s.count++
	return nil
}

// sendDocument sends a call detail record.
func (s *sender) sendDocument(ctx context.Context, in io.Reader) error {
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return s.post(ctx, daemon.DocumentPath, "application/json", body)
}

// sendReply is what the intake answers.
type sendReply struct {
	IDs      []string `json:"ids"`
	Error    string   `json:"error"`
	Problems []struct {
		Index   int    `json:"index"`
		Field   string `json:"field"`
		Problem string `json:"problem"`
	} `json:"problems"`
}

func (s *sender) flush(ctx context.Context) error {
	if s.count == 0 {
		return nil
	}
	if err := s.post(ctx, "/v1/events", "application/x-ndjson", s.batch.Bytes()); err != nil {
		return err
	}
	s.sent += s.count
	s.count = 0
	s.batch.Reset()
	return nil
}

// post makes one request and prints the ids that were taken.
func (s *sender) post(ctx context.Context, path, form string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://relay"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", form)
	reply, err := s.client.Do(req)
	if err != nil {
		return s.explain(err)
	}
	defer reply.Body.Close()
	var answer sendReply
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
		return fmt.Errorf("intake answered %s: %w", reply.Status, err)
	}
	if reply.StatusCode != http.StatusAccepted {
		return s.refused(reply, answer)
	}
	for _, id := range answer.IDs {
		_, _ = fmt.Fprintln(s.out, id)
	}
	return nil
}

// refused says which event was refused, counted from 1 over all requests.
func (s *sender) refused(reply *http.Response, answer sendReply) error {
	var parts []string
	for _, p := range answer.Problems {
		parts = append(parts, fmt.Sprintf("event %d: %s: %s", s.sent+p.Index+1, p.Field, p.Problem))
	}
	if len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("%s (%d)", answer.Error, reply.StatusCode))
	}
	if s.sent > 0 {
		parts = append(parts, fmt.Sprintf("the first %d were accepted", s.sent))
	}
	err := errors.New(strings.Join(parts, "; "))
	if after := reply.Header.Get("Retry-After"); after != "" {
		return hintError{err, "again in " + after + " s; relay status says why"}
	}
	return err
}

func (s *sender) explain(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: nobody serves %s", web.ErrNotRunning, s.socket)
	}
	if err = fmt.Errorf("send: %w", err); errors.Is(err, fs.ErrPermission) {
		return hintError{err, "as root, or as a member of the socket's group: usermod -aG relay-send USER, and sign in anew"}
	}
	return err
}
