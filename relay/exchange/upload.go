package exchange

import (
	"context"
	"errors"
	"io"
	"time"
)

// upload is an attempt whose body is written while its answer is read, so that
// an endpoint which refuses it early is heard. It lasts as long as bytes move.
type upload struct {
	*connection
	a     *Attempt
	pulse pulse
}

// copyBuffer is how much of a file is handed to the connection at a time, in bytes.
const copyBuffer = 256 << 10

// heard is what became of the reading.
type heard struct {
	reply Reply
	alive bool
	err   error
}

// upload is exchange for an attempt with files.
func (l *connection) upload(ctx context.Context, a *Attempt, t *target, limit int64) (reply Reply, alive bool, err error) {
	if err := l.watch(ctx, time.Time{}); err != nil {
		return Reply{}, false, err
	}
	if !l.since.IsZero() && !l.quiet() {
		return Reply{}, false, errStale
	}
	if !l.gate.begin(l) {
		return Reply{}, false, ErrRetired
	}
	u := &upload{connection: l, a: a}
	u.pulse.follow(l.Conn)
	stop := u.pulse.feel(a.Idle, func() { _ = l.SetDeadline(past) })
	answer := make(chan heard, 1)
	l.out, l.uploads = appendHead(l.out[:0], a, t), true
	go func() { answer <- l.readAnswer(a.Method, limit) }()
	unsent := u.write(ctx)
	if _, faulty := errors.AsType[*FileError](unsent); faulty {
		_ = l.SetDeadline(past) // nobody answers what never comes
	}
	got := <-answer
	stop()
	l.uploads = false
	retired := l.gate.end(l)
	if unsent != nil { // the rest of it never comes
		l.abort()
	}
	return u.judge(ctx, got, unsent, retired)
}

// judge says what came of the writing and the reading: an answer is believed,
// but for one that took what was not all sent.
func (u *upload) judge(ctx context.Context, got heard, unsent error, retired bool) (Reply, bool, error) {
	fault, faulty := errors.AsType[*FileError](unsent)
	switch {
	case got.err == nil && (!faulty || refuses(got.reply.Status)):
		return got.reply, got.alive && unsent == nil && ctx.Err() == nil && u.noLeftover(), nil
	case faulty:
		return Reply{}, false, fault
	case retired && unsent != nil:
		return Reply{}, false, ErrRetired
	case unsent != nil && isUnanswered(got.err) && !IsTLS(got.err):
		return Reply{}, false, unanswered{unsent}
	}
	return got.reply, false, got.err
}

// refuses reports whether the rest of a body is for nothing after a status.
func refuses(status int) bool { return status >= 300 }

// readAnswer reads the answer. One that refuses the body ends its writing.
func (l *connection) readAnswer(method string, limit int64) heard {
	n, err := l.begin()
	if err != nil {
		return heard{err: err}
	}
	if reply, ok := readPlain(l.in[:n], method, limit); ok {
		l.stopRefused(reply.Status)
		return heard{reply: reply, alive: true}
	}
	reply, alive, err := l.read(n, method, limit)
	return heard{reply, alive, err}
}

// stopRefused ends the writing of a body that is refused.
func (l *connection) stopRefused(status int) {
	if l.uploads && refuses(status) {
		_ = l.SetWriteDeadline(past)
	}
}

// write sends the request. Pieces that are short go out together.
func (u *upload) write(ctx context.Context) error {
	err := u.a.each(func(text []byte, f File) error {
		if len(u.out)+len(text) > 2*oneWrite {
			if err := u.flush(ctx); err != nil {
				return err
			}
		}
		if u.out = append(u.out, text...); f == nil {
			return nil
		}
		return u.file(ctx, f)
	})
	if err != nil {
		return err
	}
	return u.flush(ctx)
}

// file sends a file up to its last piece, which follows in the buffer.
func (u *upload) file(ctx context.Context, f File) error {
	bulk := max(f.Size()-lastPiece, 0)
	if bulk > 0 {
		if err := u.flush(ctx); err != nil {
			return err
		}
	}
	// Through a buffer of our own, not by sendfile: a receiver takes its pages one
	// by one, and 100 MiB took a quarter longer.
	buffer := make([]byte, min(bulk, copyBuffer))
	for at := int64(0); at < bulk; {
		n := paced(u.pace, bulk-at)
		if err := u.wait(ctx, n); err != nil {
			return err
		}
		k, err := io.CopyBuffer(struct{ io.Writer }{u.Conn}, struct{ io.Reader }{io.NewSectionReader(f, at, n)}, buffer)
		at += k
		u.pulse.sent.Add(k)
		if err != nil {
			return blame(f, at, err)
		}
	}
	was := len(u.out)
	u.out = append(u.out, make([]byte, f.Size()-bulk)...)
	if n, err := f.ReadAt(u.out[was:], bulk); n < len(u.out)-was {
		return blame(f, bulk+int64(n), err)
	}
	return nil
}

// flush sends what is in the buffer, once the files are known to be what they
// were.
func (u *upload) flush(ctx context.Context) error {
	for rest := u.out; len(rest) > 0; {
		n := paced(u.pace, int64(len(rest)))
		if err := u.wait(ctx, n); err != nil {
			return err
		}
		k, err := u.Conn.Write(rest[:n])
		u.pulse.sent.Add(int64(k))
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	u.out = u.out[:0]
	return nil
}

// wait has the pace allow n bytes, and the files be looked at.
func (u *upload) wait(ctx context.Context, n int64) error {
	if err := wait(ctx, u.pace, n); err != nil {
		return err
	}
	return u.a.check()
}
