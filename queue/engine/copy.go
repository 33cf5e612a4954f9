package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"

	"callrelay/queue/record"
)

// copier takes whole streams out of JetStream, and puts them back.
type copier struct{ *api }

// streamInfo is the configuration and state of a stream, as a restore asks for
// them.
type streamInfo struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

// Snapshot writes the stored form of a stream to w.
func (c copier) Snapshot(ctx context.Context, stream string, w io.Writer) (info streamInfo, err error) {
	sub, err := c.NC.SubscribeSync(c.NC.NewInbox())
	if err != nil {
		return info, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	request := fmt.Appendf(nil, `{"deliver_subject":%q,"no_consumers":true}`, sub.Subject)
	answer, err := c.Ask(ctx, "$JS.API.STREAM.SNAPSHOT."+stream, request)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(answer, &info); err != nil {
		return info, err
	}
	for {
		m, err := nextChunk(ctx, sub)
		if err != nil {
			return info, err
		}
		if len(m.Data) == 0 {
			return info, snapshotEnd(m.Header)
		}
		if _, err := w.Write(m.Data); err != nil {
			return info, err
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return info, err
			}
		}
	}
}

// snapshotEnd is nil when a snapshot was sent whole.
func snapshotEnd(h nats.Header) error {
	if status := h.Get("Status"); status != "" && status != "204" {
		return fmt.Errorf("%w: %s", record.ErrUnavailable, h.Get("Description"))
	}
	return nil
}

func nextChunk(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// Restore sends what JetStream restores a stream from, and an empty chunk at
// the end, which is answered once the stream is there.
func (c copier) Restore(ctx context.Context, subject string, data io.Reader) error {
	chunk := make([]byte, 512<<10)
	for {
		n, err := io.ReadFull(data, chunk)
		if n > 0 {
			if err := c.sendChunk(ctx, subject, chunk[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			_, err := c.Ask(ctx, subject, nil)
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (c copier) sendChunk(ctx context.Context, subject string, chunk []byte) error {
	ctx, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	m, err := c.NC.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Data: chunk})
	if err != nil {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	if len(m.Data) > 0 { // the stream cannot be restored, for the reason in it
		return errors.New(string(m.Data))
	}
	return nil
}
