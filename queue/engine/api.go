package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

// RequestTimeout is how long JetStream may take to answer.
const (
	RequestTimeout = 5 * time.Second
	chunkTimeout   = 30 * time.Second // for what may take a while, as a part of a copied stream

	codeNoMessage  = 10037 // JetStream's errors: a record is not there,
	codeNotDeleted = 10057 // could not be deleted,
	codeNotPurged  = 10110 // or many
	codeFailed     = 10051 // nor does a purge say more where the disk is full
)

// ErrNotDeleted means that JetStream could not delete.
var ErrNotDeleted = fmt.Errorf("%w: deletion failed", record.ErrUnavailable)

// api is JetStream as this process asks it, the embedded one or a cluster's. It is
// safe for concurrent use.
type api struct {
	JS    jetstream.JetStream
	NC    *nats.Conn // requests and what the lanes take
	site  string     // ends the names of streams; empty in the embedded queue
	alone bool       // there is but one view of a stream: that of the embedded server
}

// Stream returns a stream and what it holds now.
func (a *api) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	return a.JS.Stream(ctx, a.Name(name))
}

// LastSeq returns the last sequence of a stream.
func (a *api) LastSeq(ctx context.Context, stream string) (uint64, error) {
	s, err := a.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.LastSeq, nil
}

// Name is what a stream is called here: several sites may share a cluster.
func (a *api) Name(stream string) string { return sited(stream, a.site) }

// Subject is what a subject is called here: the site belongs to its first token.
func (a *api) Subject(subject string) string {
	if a.site == "" {
		return subject
	}
	first, rest, _ := strings.Cut(subject, ".")
	return sited(first, a.site) + "." + rest
}

func sited(name, site string) string {
	if site == "" {
		return name
	}
	return name + "-" + site
}

// Ask makes one request that may take a while, of a subject below $JS.API. or of
// one that JetStream gave, and returns the answer or its error.
func (a *api) Ask(ctx context.Context, subject string, body []byte) ([]byte, error) {
	return a.request(ctx, chunkTimeout, subject, body)
}

func (a *api) request(ctx context.Context, limit time.Duration, subject string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m, err := a.NC.RequestWithContext(ctx, subject, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	return m.Data, answered(m)
}

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
	if code := answer.Error.ErrorCode; code == codeNotDeleted || code == codeNotPurged || code == codeFailed {
		return fmt.Errorf("%w: %s", ErrNotDeleted, answer.Error.Description)
	}
	return answer.Error
}

// GetDirect reads one record without a consumer, from any server that has it. It
// returns [record.ErrNotFound] when there is none.
func (a *api) GetDirect(ctx context.Context, stream string, request []byte) (*nats.Msg, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	m, err := a.NC.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+a.Name(stream), request)
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

// GetStored reads one record from the leader of its stream.
func (a *api) GetStored(ctx context.Context, stream string, request []byte) (*nats.Msg, uint64, error) {
	answer, err := a.request(ctx, RequestTimeout, "$JS.API.STREAM.MSG.GET."+a.Name(stream), request)
	if refused := (*jetstream.APIError)(nil); errors.As(err, &refused) && refused.ErrorCode == codeNoMessage {
		return nil, 0, record.ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: read stream %s: %w", record.ErrUnavailable, stream, err)
	}
	var found struct {
		Message struct {
			Subject string `json:"subject"`
			Seq     uint64 `json:"seq"`
			Headers []byte `json:"hdrs"`
			Data    []byte `json:"data"`
			Time    string `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return nil, 0, err
	}
	m := &nats.Msg{Subject: found.Message.Subject, Data: found.Message.Data, Header: nats.Header{}}
	if len(found.Message.Headers) > 0 {
		if m.Header, err = nats.DecodeHeadersMsg(found.Message.Headers); err != nil {
			return nil, 0, err
		}
	}
	m.Header.Set("Nats-Time-Stamp", found.Message.Time)
	return m, found.Message.Seq, nil
}

// SeqSince is the first sequence of a stream that was stored at a time or later.
func (a *api) SeqSince(ctx context.Context, stream string, since time.Time) (uint64, error) {
	_, seq, err := a.GetDirect(ctx, stream, fmt.Appendf(nil, `{"start_time":%q,"next_by_subj":">"}`, since.UTC().Format(time.RFC3339Nano)))
	return seq, err
}

// DropConsumer removes a consumer without waiting for it.
func (a *api) DropConsumer(stream, name string) {
	_ = a.NC.Publish("$JS.API.CONSUMER.DELETE."+a.Name(stream)+"."+name, nil)
}
