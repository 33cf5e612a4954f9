package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

// DeletesInFlight is how many deletions are asked for at once.
const DeletesInFlight = 64

// remover removes records from streams.
type remover struct{ *api }

// Purge removes the records of a subject below seq; an empty subject is all, and 0
// whatever its sequence.
func (r remover) Purge(ctx context.Context, stream, subject string, seq uint64) error {
	var request jetstream.StreamPurgeRequest
	if request.Sequence = seq; subject != "" {
		request.Subject = r.Subject(subject)
	}
	body, err := json.Marshal(request)
	if err == nil {
		_, err = r.request(ctx, RequestTimeout, "$JS.API.STREAM.PURGE."+r.Name(stream), body)
	}
	return err
}

// DeleteEach deletes single records; one that is gone already is fine.
func (r remover) DeleteEach(ctx context.Context, stream string, seqs []uint64) error {
	inbox := r.NC.NewInbox() + "."
	sub, err := r.NC.SubscribeSync(inbox + "*")
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	for part := range slices.Chunk(seqs, DeletesInFlight) {
		waiting := map[string]bool{} // by where it is answered: two servers may answer, while another comes to lead
		for _, seq := range part {
			reply := strconv.AppendUint([]byte(inbox), seq, 10)
			waiting[string(reply)] = true
			body := append(strconv.AppendUint([]byte(`{"no_erase":true,"seq":`), seq, 10), '}')
			if err := r.NC.PublishRequest("$JS.API.STREAM.MSG.DELETE."+r.Name(stream), string(reply), body); err != nil {
				return err
			}
		}
		failed := error(nil)
		for len(waiting) > 0 {
			m, err := nextMsg(ctx, sub)
			if err != nil {
				return fmt.Errorf("%w: delete from %s: %w", record.ErrUnavailable, stream, err)
			}
			delete(waiting, m.Subject)
			failed = cmp.Or(answered(m), failed)
		}
		if failed != nil && r.anyLeft(ctx, stream, part) {
			return fmt.Errorf("delete from %s: %w", stream, failed)
		}
	}
	return nil
}

// anyLeft reports whether one of the records is there still. JetStream calls it
// a failure, too, to delete what is gone already.
func (r remover) anyLeft(ctx context.Context, stream string, seqs []uint64) bool {
	return slices.ContainsFunc(seqs, func(seq uint64) bool {
		_, _, err := r.GetDirect(ctx, stream, fmt.Appendf(nil, `{"seq":%d}`, seq))
		return !errors.Is(err, record.ErrNotFound)
	})
}

// EraseEach deletes records and overwrites them, which rewrites the file of
// each.
func (r remover) EraseEach(ctx context.Context, stream string, seqs []uint64) error {
	for _, seq := range seqs {
		_, err := r.request(ctx, RequestTimeout, "$JS.API.STREAM.MSG.DELETE."+r.Name(stream), fmt.Appendf(nil, `{"seq":%d}`, seq))
		if err != nil && r.anyLeft(ctx, stream, []uint64{seq}) {
			return fmt.Errorf("record %d of %s: %w", seq, stream, err)
		}
	}
	return nil
}
