package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// MarkService is whose a mark is: no service has a name like it.
const MarkService = "="

// disownStep is how many bytes of a failed commit are deleted for each record that
// is overwritten: less than a file of JetStream holds.
const disownStep = 1 << 20

// secure makes durable what a process that was killed, or closed while nothing
// could be written, had written without an acknowledgement: from here on it is
// taken for stored.
func (e Embedded) secure(ctx context.Context, eng *engine.Engine) error {
	if err := unix.Syncfs(int(e.Store.Folder.Lock.Fd())); err != nil {
		return fmt.Errorf("sync queue: %w", err)
	}
	if err := e.mark(ctx, eng); err != nil {
		return err
	}
	return e.Store.Folder.SyncNames()
}

// disown removes what was written and not acknowledged before JetStream was
// started anew: whoever sent it was refused, and sends it again. After an error
// of the disk its bytes may be in memory alone, though a later sync succeeds: a
// power cut would lose them, and what is stored behind them.
func (e Embedded) disown(ctx context.Context, eng *engine.Engine) error {
	for _, c := range e.Store.committers() {
		if err := e.disownTail(ctx, eng, c); err != nil {
			return fmt.Errorf("remove what was refused from %s: %w", c.Stream, err)
		}
	}
	if err := e.mark(ctx, eng); err != nil {
		return err
	}
	return e.Store.Folder.SyncNames()
}

func (e Embedded) disownTail(ctx context.Context, eng *engine.Engine, c *Committer) error {
	c.CommitMu.Lock() // a commit that began over the server before is over, and counted, from here on
	durable := c.durable
	c.CommitMu.Unlock()
	var overwrite, remove []uint64
	last, size := uint64(0), int64(disownStep)
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: durable + 1, HeadersOnly: true}
	err := eng.Read(ctx, c.Stream, cfg, func(m *nats.Msg, at record.Place) bool {
		if size >= disownStep { // the first one, too
			overwrite, size = append(overwrite, at.Seq), 0
		} else {
			remove = append(remove, at.Seq)
		}
		size += record.HeadInt(m.Header, "Nats-Msg-Size") + int64(m.Size())
		last = at.Seq
		return true
	})
	if err != nil || last == 0 {
		return err
	}
	if n := len(remove); n > 0 && remove[n-1] == last {
		overwrite, remove = append(overwrite, last), remove[:n-1]
	}
	return errors.Join(eng.EraseEach(ctx, c.Stream, overwrite), eng.DeleteEach(ctx, c.Stream, remove))
}

// mark stores a record in each stream and overwrites it: for that JetStream
// writes anew the file that ends the stream, and syncs it, whatever it was in
// doubt of before.
func (e Embedded) mark(ctx context.Context, eng *engine.Engine) error {
	if e.Store.Space.Take(0, time.Now()) != nil {
		return nil // the disk is full, and was written to long ago
	}
	for _, c := range e.Store.committers() {
		last, err := eng.LastSeq(ctx, c.Stream)
		if err != nil {
			return err
		}
		if last == 0 {
			continue
		}
		r := record.Record{Service: MarkService, Event: "mark"}
		at := record.Subject(c.Stream, &r, record.Note{record.HeadReason, "mark"})
		if err := removeMarks(ctx, eng, c.Stream, at); err != nil { // of a start that was cut short
			return err
		}
		ack, err := eng.JS.Publish(ctx, at, nil)
		if err != nil {
			return fmt.Errorf("mark %s: %w", c.Stream, err)
		}
		if err := eng.EraseEach(ctx, c.Stream, []uint64{ack.Sequence}); err != nil {
			return fmt.Errorf("mark %s: %w", c.Stream, err)
		}
	}
	return nil
}

func removeMarks(ctx context.Context, e *engine.Engine, stream, subject string) error {
	for {
		_, seq, err := e.GetDirect(ctx, stream, fmt.Appendf(nil, `{"last_by_subj":%q}`, subject))
		if errors.Is(err, record.ErrNotFound) {
			return nil
		}
		if err == nil {
			err = e.DeleteEach(ctx, stream, []uint64{seq})
		}
		if err != nil {
			return err
		}
	}
}
