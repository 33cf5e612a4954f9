package dead

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// Stream names what History reads.
type Stream uint8

const (
	// Attempts is what was tried and how it ended.
	Attempts Stream = iota
	// Debug holds full transcripts.
	Debug
)

func (s Stream) name() string {
	if s == Debug {
		return record.Debug
	}
	return record.Attempts
}

// Logged is one record of ATTEMPTS or DEBUG.
type Logged struct {
	Service string
	Outcome string // empty in DEBUG
	At      time.Time
	Body    []byte
}

// logbookLen is how many records may wait to be logged; more are dropped.
const logbookLen = 4096

// Log writes ATTEMPTS and DEBUG on the side: nothing waits for it. It is safe for
// concurrent use.
type Log struct {
	s     *journal.Store
	lines chan logLine
}

type logLine struct {
	subject string
	body    []byte
	flushed chan struct{} // not nil: only tells that the lines before are written
}

// NewLog returns a log that is written for as long as the store is open.
func NewLog(s *journal.Store) *Log {
	l := &Log{s: s, lines: make(chan logLine, logbookLen)}
	s.Background(l.run)
	return l
}

func (l *Log) add(subject string, body []byte) {
	select {
	case l.lines <- logLine{subject: subject, body: body}:
	default:
	}
}

func (l *Log) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-l.lines:
			if line.flushed != nil {
				close(line.flushed)
			} else if eng := l.s.Engine(); eng != nil && !l.s.Space.Spent(time.Now()) { // a full disk must not reach JetStream
				_ = eng.Log.Publish(eng.Subject(line.subject), line.body)
			}
		}
	}
}

// Flush returns when the server has all lines that were added before.
func (l *Log) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engine.RequestTimeout)
	defer cancel()
	flushed := make(chan struct{})
	select {
	case l.lines <- logLine{flushed: flushed}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-flushed:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.s.Closed:
		return record.ErrUnavailable
	}
	if eng := l.s.Engine(); eng != nil {
		return eng.Log.FlushWithContext(ctx)
	}
	return record.ErrUnavailable
}

// LogAttempt keeps what was tried. It never blocks; under pressure the record
// is dropped. The body must not be changed afterwards.
func (l *Log) LogAttempt(service, outcome string, body []byte) {
	l.add("attempts."+service+"."+outcome, body)
}

// LogDebug keeps a transcript, in the same way.
func (l *Log) LogDebug(service string, body []byte) { l.add("debug."+service, body) }

// History returns up to max records of a service, newest first; an empty
// service means all.
func (l *Log) History(ctx context.Context, stream Stream, service string, max int) ([]Logged, error) {
	eng := l.s.Engine()
	if eng == nil {
		return nil, record.ErrUnavailable
	}
	return engine.ReadNewest(ctx, eng, stream.name(), stream.filter(service), max, func(m *nats.Msg, at record.Place) (Logged, bool) {
		return readLogged(m, at.At), true
	})
}

// Between passes the records of a service that were kept from one time to another
// to visit, oldest first, until it returns false.
func (l *Log) Between(ctx context.Context, stream Stream, service string, from, to time.Time, visit func(Logged) bool) error {
	eng := l.s.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	cfg := jetstream.ConsumerConfig{FilterSubject: stream.filter(service), DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from}
	return eng.Read(ctx, stream.name(), cfg, func(m *nats.Msg, at record.Place) bool {
		return !at.At.After(to) && visit(readLogged(m, at.At))
	})
}

func (s Stream) filter(service string) string {
	if service == "" {
		service = "*"
	}
	if s == Debug {
		return "debug." + service
	}
	return "attempts." + service + ".*"
}

func readLogged(m *nats.Msg, at time.Time) Logged {
	_, rest, _ := strings.Cut(m.Subject, ".")
	service, outcome, _ := strings.Cut(rest, ".")
	return Logged{Service: service, Outcome: outcome, At: at, Body: m.Data}
}

// Follow passes the attempts of a service, or of all for an empty one, to
// visit as they are logged, until ctx ends.
func (l *Log) Follow(ctx context.Context, service string, visit func(Logged)) error {
	eng := l.s.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	sub, err := eng.NC.SubscribeSync(eng.Subject(Attempts.filter(service)))
	if err != nil {
		return fmt.Errorf("follow attempts: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("follow attempts: %w", err)
		}
		visit(readLogged(m, time.Now()))
	}
}
