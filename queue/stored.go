package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

// lastSeq returns the last sequence of a stream.
func (e *engine) lastSeq(ctx context.Context, stream string) (uint64, error) {
	s, err := e.stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.LastSeq, nil
}

// getDirect reads one record without a consumer. It returns ErrNotFound when
// there is none.
func (e *engine) getDirect(ctx context.Context, stream string, request []byte) (*nats.Msg, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := e.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+e.name(stream), request)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: read stream %s: %w", record.ErrUnavailable, stream, err)
	}
	if m.Header.Get("Status") != "" {
		return nil, 0, record.ErrNotFound
	}
	m.Subject = m.Header.Get("Nats-Subject")
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	return m, seq, err
}

// remove runs an operation that deletes from a stream. One that JetStream could
// not store has the queue begin anew.
func (q *Queue) remove(ctx context.Context, operate func(context.Context, *engine) error) error {
	eng := q.engine.Load()
	if eng == nil {
		return record.ErrUnavailable
	}
	err := operate(context.WithoutCancel(ctx), eng)
	if errors.Is(err, errNotDeleted) {
		q.fail(err)
	}
	return err
}

// errNotDeleted means that JetStream could not delete.
var errNotDeleted = fmt.Errorf("%w: deletion failed", record.ErrUnavailable)

// purge removes the records of a subject below seq; an empty subject is all.
func (e *engine) purge(ctx context.Context, stream, subject string, seq uint64) error {
	if subject != "" {
		subject = e.subject(subject)
	}
	request := struct {
		Filter string `json:"filter,omitempty"`
		Seq    uint64 `json:"seq,omitempty"`
	}{subject, seq}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return e.call(ctx, "$JS.API.STREAM.PURGE."+e.name(stream), body)
}

// holdsOnly reports whether all records of a stream are of the subjects that a
// filter takes.
func (e *engine) holdsOnly(ctx context.Context, stream, filter string) bool {
	var matching struct {
		State struct {
			Messages uint64            `json:"messages"`
			Subjects map[string]uint64 `json:"subjects"`
		} `json:"state"`
	}
	answer, err := e.ask(ctx, "$JS.API.STREAM.INFO."+e.name(stream), fmt.Appendf(nil, `{"subjects_filter":%q}`, e.subject(filter)))
	if err != nil || json.Unmarshal(answer, &matching) != nil {
		return false
	}
	for _, n := range matching.State.Subjects {
		matching.State.Messages -= n
	}
	return matching.State.Messages == 0
}

// deletesInFlight is how many deletions are asked for at once.
const deletesInFlight = 64

// deleteEach deletes single records; one that is gone already is fine.
func (e *engine) deleteEach(ctx context.Context, stream string, seqs []uint64) error {
	sub, err := e.nc.SubscribeSync(e.nc.NewInbox())
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	for part := range slices.Chunk(seqs, deletesInFlight) {
		failed := error(nil)
		for _, seq := range part {
			body := append(strconv.AppendUint([]byte(`{"no_erase":true,"seq":`), seq, 10), '}')
			if err := e.nc.PublishRequest("$JS.API.STREAM.MSG.DELETE."+e.name(stream), sub.Subject, body); err != nil {
				return err
			}
		}
		for range part {
			m, err := nextMsg(ctx, sub)
			if err != nil {
				return fmt.Errorf("%w: delete from %s: %w", record.ErrUnavailable, stream, err)
			}
			failed = cmp.Or(answered(m), failed)
		}
		if failed != nil && e.anyLeft(ctx, stream, part) {
			return fmt.Errorf("delete from %s: %w", stream, failed)
		}
	}
	return nil
}

// anyLeft reports whether one of the records is there still. JetStream calls it
// a failure, too, to delete what is gone already.
func (e *engine) anyLeft(ctx context.Context, stream string, seqs []uint64) bool {
	return slices.ContainsFunc(seqs, func(seq uint64) bool {
		_, _, err := e.getDirect(ctx, stream, fmt.Appendf(nil, `{"seq":%d}`, seq))
		return !errors.Is(err, record.ErrNotFound)
	})
}

// call makes one request to JetStream and returns its error.
func (e *engine) call(ctx context.Context, subject string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := e.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	return answered(m)
}

const (
	codeNotDeleted = 10057 // JetStream's errors: a record could not be deleted,
	codeNotPurged  = 10110 // or many
)

// answered is the error in an answer of JetStream.
func answered(m *nats.Msg) error {
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	if answer.Error == nil {
		return nil
	}
	if code := answer.Error.ErrorCode; code == codeNotDeleted || code == codeNotPurged {
		return fmt.Errorf("%w: %s", errNotDeleted, answer.Error.Description)
	}
	return errors.New(answer.Error.Description)
}
