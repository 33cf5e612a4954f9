package deliver

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"callrelay/config"
	"callrelay/relay/exchange"
)

// Outcome says what becomes of a delivery after an attempt.
type Outcome int

// The outcomes.
const (
	Retry     Outcome = iota // try again later; the zero value, so that nothing is lost by omission
	Delivered                // the endpoint took it
	Dead                     // never try again: it is kept as a dead letter
)

// String returns the outcome as metrics, logs and the nats CLI show it.
func (o Outcome) String() string {
	switch o {
	case Delivered:
		return "delivered"
	case Dead:
		return "dead"
	default:
		return "retry"
	}
}

// The reasons of dead letters that are given here. The queue itself adds
// overflow.
const (
	ReasonRejected = "rejected" // the endpoint refused the payload
	ReasonExpired  = "expired"  // max_age has passed
	ReasonRender   = "render"   // the event cannot be written as the service wants it
	ReasonRemoved  = "removed"  // the operator dropped it
	ReasonOverflow = "overflow" // the queue was nearly full: it gives this one itself
)

// The classes of attempts: those of a status, and these.
const (
	classTimeout = "timeout"
	classConnect = "connect"
	classTLS     = "tls"
	classFault   = "fault"
	classBlocked = "blocked"
)

var hundreds = [...]string{2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}

// classes lists every class, so that all their series exist from the start.
var classes = []string{
	"2xx", "3xx", "4xx", "429", "5xx",
	classTimeout, classConnect, classTLS, classFault, classBlocked,
}

// verdict is what an attempt came to. Its zero value is a retry.
type verdict struct {
	outcome    Outcome
	class      string
	reason     string        // of the dead letter
	status     int           // 0: no answer
	err        string        // what went wrong; empty when delivered. Text as it came, until it was masked and clipped
	retryAfter time.Duration // asked for by the endpoint; 0: was not
	gone       bool          // the endpoint asks never to be called again
}

// healthy tells the breaker whether the endpoint is well. One that refuses a
// payload is.
func (v verdict) healthy() bool { return v.outcome != Retry }

// judgement is the part of a service that decides what an answer means.
type judgement struct {
	success, retryOn config.StatusSet
	soap             bool
}

// answer judges what the endpoint answered.
func (j judgement) answer(r exchange.Reply, now time.Time) verdict {
	v := verdict{status: r.Status, class: classOf(r.Status), retryAfter: retryAfter(r.Header, now)}
	switch {
	case r.Status == http.StatusGone && !j.success.Has(r.Status):
		v.gone = true
		v.err = statusText(r)
	case j.soap:
		return j.envelope(r, v)
	case j.success.Has(r.Status):
		v.outcome = Delivered
	case j.retryOn.Has(r.Status):
		v.err = statusText(r)
	default:
		v.outcome, v.reason = Dead, ReasonRejected
		v.err = statusText(r)
	}
	return v
}

// envelope judges the answer of a SOAP service, whose status tells only half:
// one that speaks of the endpoint (a wrong password, a proxy in between) is
// believed, else the envelope decides.
func (j judgement) envelope(r exchange.Reply, v verdict) verdict {
	if r.Status != http.StatusInternalServerError && j.retryOn.Has(r.Status) {
		v.err = statusText(r)
		return v
	}
	if len(r.Body) == 0 && j.success.Has(r.Status) &&
		(r.Status == http.StatusAccepted || r.Status == http.StatusNoContent) {
		v.outcome = Delivered // a one-way operation has no envelope to send back
		return v
	}
	f, err := readSOAP(r.Body)
	switch {
	case r.Cut:
		v.class, v.err = classFault, "soap answer is longer than max_response"
	case err != nil:
		v.class, v.err = classFault, fmt.Sprintf("status %d: %v", r.Status, err)
	case f != nil && f.sender():
		v.outcome, v.reason = Dead, ReasonRejected
		v.class, v.err = classFault, f.String()
	case f != nil:
		v.class, v.err = classFault, f.String()
	case j.success.Has(r.Status):
		v.outcome = Delivered
	case j.retryOn.Has(r.Status):
		v.err = statusText(r)
	default:
		v.outcome, v.reason = Dead, ReasonRejected
		v.err = statusText(r)
	}
	return v
}

// failure judges an attempt that got no whole answer. It is always retried.
func failure(err error) verdict {
	return verdict{class: classOfError(err), err: err.Error()}
}

// classOf is the class of a status. One that is none of HTTP's is the
// connection's fault.
func classOf(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "429"
	case status >= 200 && status <= 599:
		return hundreds[status/100]
	default:
		return classConnect
	}
}

func classOfError(err error) string {
	switch {
	case errors.Is(err, exchange.ErrBlocked):
		return classBlocked
	case exchange.TimedOut(err):
		return classTimeout
	case exchange.IsTLS(err):
		return classTLS
	default:
		return classConnect
	}
}

// statusText is the status and the beginning of what came with it, longer than
// is shown: secrets in it are masked before it is cut.
func statusText(r exchange.Reply) string {
	const enough = 16 * exchange.MaxText
	if len(r.Body) == 0 {
		return fmt.Sprintf("status %d", r.Status)
	}
	return fmt.Sprintf("status %d: %s", r.Status, r.Body[:min(len(r.Body), enough)])
}
