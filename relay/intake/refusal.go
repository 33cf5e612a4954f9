package intake

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/time/rate"

	"callrelay/queue"
	"callrelay/relay/call"
)

// retryAfter is when a peer may try again what the relay could not take, in seconds.
const retryAfter = 5

// A refusal is an error that has a status of its own.
type refusal struct {
	status int
	reason string // it is counted under; empty: not counted
	text   string
}

// Error returns the text for the peer.
func (r *refusal) Error() string { return r.text }

var (
	errForbidden    = &refusal{http.StatusForbidden, reasonForbidden, "this user may not send events"}
	errConnections  = &refusal{http.StatusServiceUnavailable, reasonConnections, "too many connections"}
	errShare        = &refusal{http.StatusServiceUnavailable, reasonConnections, "this user has too much under way"}
	errUnauthorized = &refusal{http.StatusUnauthorized, reasonUnauthorized, "a valid token is required"}
	errMethod       = &refusal{http.StatusMethodNotAllowed, "", "events are sent with POST"}
	errNotFound     = &refusal{http.StatusNotFound, "", "nothing is here: events go to " + eventsPath}
)

// classify returns the status of an error and the reason it is counted
// under. An error that no peer is to blame for is the queue's.
func classify(err error) (status int, reason string) {
	if e, ok := errors.AsType[*call.Error](err); ok {
		if e.TooLarge {
			return http.StatusRequestEntityTooLarge, reasonTooLarge
		}
		return http.StatusBadRequest, reasonInvalid
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status, r.reason
	}
	if errors.Is(err, queue.ErrConflict) {
		return http.StatusConflict, reasonConflict
	}
	if errors.Is(err, queue.ErrTooLarge) {
		return http.StatusRequestEntityTooLarge, reasonTooLarge
	}
	return http.StatusServiceUnavailable, reasonQueue
}

// appendRefusal appends the line that refuses an event.
func appendRefusal(dst []byte, err error) []byte {
	status, _ := classify(err)
	dst = appendText(append(dst, `{"error":`...), err.Error())
	if e, ok := errors.AsType[*call.Error](err); ok {
		dst = appendText(append(dst, `,"field":`...), e.Field)
	}
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(status), 10)
	if status == http.StatusServiceUnavailable {
		dst = strconv.AppendInt(append(dst, `,"retry_after":`...), retryAfter, 10)
	}
	return append(dst, "}\n"...)
}

// appendText appends a JSON string.
func appendText(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text) // an error means invalid UTF-8, which is replaced
	return dst
}

// refuse counts a refusal and logs it.
func (s *Server) refuse(err error) {
	status, reason := classify(err)
	if reason == "" {
		return
	}
	s.metrics.rejected.WithLabelValues(reason).Inc()
	s.refusals.add(status, err)
}

// refusals logs what is refused, and no more than a log can bear.
type refusals struct {
	log   *slog.Logger
	limit *rate.Limiter
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, limit: rate.NewLimiter(rate.Every(time.Second), 20)}
}

func (r *refusals) add(status int, err error) {
	text := err.Error()
	switch {
	case !r.limit.Allow():
	case status == http.StatusServiceUnavailable:
		r.log.Error("event rejected", "status", status, "err", text)
	default:
		r.log.Warn("event rejected", "status", status, "err", text)
	}
}
