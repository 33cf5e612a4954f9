package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/exchange"
	"callrelay/relay/limit"
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
	local      error         // nothing was sent: the relay had no file descriptor left
	limited    bool          // the endpoint is well, and takes nothing for retryAfter
	paced      bool          // limited, and known to take more after that
	spared     bool          // says nothing of how the endpoint is
	unmade     bool          // nothing was sent: a reload came in between
}

// healthy reports to the breaker whether the endpoint is well. One that refuses a
// payload is.
func (v verdict) healthy() bool { return v.outcome != Retry }

// judgement is the part of a service that decides what an answer means.
type judgement struct {
	success, retryOn config.StatusSet
	successBody      *regexp.Regexp // what the body of a success must match; nil: anything
	soap             bool
	strict           bool  // a 2xx that is no readable envelope was not taken
	maxResponse      int64 // bytes of a body, unpacked too
}

func newJudgement(s *config.Service) judgement {
	j := judgement{success: s.Success, retryOn: s.RetryOn, soap: s.Type == "soap", maxResponse: s.MaxResponse}
	if s.SuccessBody != "" {
		j.successBody = regexp.MustCompile(s.SuccessBody) // config has tried it
	}
	if s.SOAP != nil {
		j.strict = s.SOAP.Unreadable == "retry"
	}
	return j
}

// answer judges what the endpoint answered.
func (j judgement) answer(r exchange.Reply, now time.Time) verdict {
	asked := retryAfter(r.Header, now)
	v := verdict{status: r.Status, class: classOf(r.Status), retryAfter: asked}
	switch {
	case r.Status == http.StatusGone && !j.success.Has(r.Status):
		v.gone = true
		v.err = statusText(r)
	case asked > 0 && j.limits(r.Status):
		v.limited, v.err = true, statusText(r)
	case j.soap && (r.Status == http.StatusInternalServerError || !j.retries(r.Status, asked > 0)):
		return j.envelope(r, v)
	default:
		return j.byStatus(r, v)
	}
	return v
}

// byStatus judges by the status, and by the body of a success where that counts.
func (j judgement) byStatus(r exchange.Reply, v verdict) verdict {
	switch {
	case j.success.Has(r.Status) && !j.matches(r):
		v.class, v.err = classFault, "success_body does not match: "+statusText(r)
	case j.success.Has(r.Status):
		v.outcome = Delivered
	case r.Held || j.retries(r.Status, v.retryAfter > 0):
		v.spared = r.Status == http.StatusConflict || r.Status == http.StatusRequestEntityTooLarge
		v.err = statusText(r)
	default:
		v.outcome, v.reason = Dead, ReasonRejected
		v.err = statusText(r)
	}
	return v
}

// limits reports whether a status with a Retry-After speaks of the endpoint as a
// whole, which is there and asks to be left alone for so long.
func (j judgement) limits(status int) bool {
	return (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && j.retryOn.Has(status) && !j.success.Has(status)
}

// retries reports whether a status speaks of the endpoint and not of the
// payload. A status outside HTTP's counts as 5xx (RFC 9110, section 15). A 421
// is meant for another connection, and what asks to come again means that: 409
// while an earlier attempt is still worked on, 413 while there is no room.
func (j judgement) retries(status int, asked bool) bool {
	switch {
	case j.success.Has(status):
		return false
	case status < http.StatusOK: // never asked for
		return true
	case status > 599:
		status = http.StatusInternalServerError
	case status == http.StatusMisdirectedRequest:
		return true
	case asked && (status == http.StatusConflict || status == http.StatusRequestEntityTooLarge):
		return true
	}
	return j.retryOn.Has(status)
}

// matches reports whether the body is that of a success. Of one that was packed
// or written in another charset, the text counts.
func (j judgement) matches(r exchange.Reply) bool {
	if j.successBody == nil {
		return true
	}
	text, _ := content(r, j.maxResponse)
	return j.successBody.Match(text)
}

// envelope judges the answer of a SOAP service, whose status says only half:
// one that speaks of the endpoint (a wrong password, a proxy in between) was
// believed already, else the envelope decides. A one-way operation has none to
// send back: 202 says so, and nothing at all.
func (j judgement) envelope(r exchange.Reply, v verdict) verdict {
	success := j.success.Has(r.Status)
	if success && (r.Status == http.StatusAccepted || len(bytes.TrimSpace(r.Body)) == 0) {
		return j.byStatus(r, v)
	}
	text, unread := content(r, j.maxResponse)
	f, err := readSOAP(text)
	if unread != nil { // a fault that can be made out counts all the same
		err = unread
	}
	switch {
	case f != nil:
		v.class, v.err = classFault, f.String()
		if f.sender() {
			v.outcome, v.reason = Dead, ReasonRejected
		}
	case err != nil && (!success || j.strict):
		v.class, v.err = classFault, fmt.Sprintf("status %d: %v", r.Status, err)
	default:
		return j.byStatus(r, v)
	}
	return v
}

// cutOff judges an attempt whose answer did not come to its end: the status
// line may have said already that the endpoint took the event.
func (j judgement) cutOff(r exchange.Reply, err error, now time.Time) verdict {
	// Of a body that had hardly begun, soap.unreadable decides.
	unread := j.soap && j.strict && r.Status != http.StatusAccepted && len(bytes.TrimSpace(r.Body)) == 0
	if j.success.Has(r.Status) && !unread {
		if v := j.answer(r, now); v.outcome == Delivered || v.class == classFault && j.soap {
			return v
		}
	}
	v := failure(err)
	v.status, v.retryAfter = r.Status, retryAfter(r.Header, now)
	return v
}

// failure judges an attempt that got no answer. It is always retried.
func failure(err error) verdict {
	v := verdict{class: classOfError(err), err: err.Error()}
	if _, ok := errors.AsType[*exchange.FileError](err); ok {
		v.class, v.spared = classFault, true
	}
	if limit.Exhausted(err) {
		v.local = err
	}
	return v
}

// classOf is the class of a status. One that is none of HTTP's counts as 5xx,
// and one that is no answer as the connection's fault.
func classOf(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "429"
	case status >= 200 && status <= 599:
		return hundreds[status/100]
	case status > 599:
		return "5xx"
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
	text := fmt.Sprintf("status %d", r.Status) + movedTo(r)
	if len(r.Body) == 0 {
		return text
	}
	return fmt.Sprintf("%s: %s", text, r.Body[:min(len(r.Body), enough)])
}

// movedTo is where a redirect leads, without what may be secret.
func movedTo(r exchange.Reply) string {
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || r.Status/100 != 3 || to.Path+to.Host == "" {
		return ""
	}
	to.User, to.RawQuery, to.Fragment = nil, "", ""
	return ", to " + to.String()
}

// The reasons of dead letters.
const (
	ReasonRejected = "rejected"
	ReasonExpired  = "expired"
	ReasonRender   = "render"
	ReasonOverflow = queue.ReasonOverflow // the queue gives this one itself
	ReasonRemoved  = "removed"
)

// A Reason is why a delivery was given up.
type Reason struct{ Name, Text string }

// reasons are all there are: whoever lists them asks here.
var reasons = []Reason{
	{ReasonRejected, "the endpoint refused the payload"},
	{ReasonExpired, "max_age has passed"},
	{ReasonRender, "the event cannot be written as the service wants it"},
	{ReasonOverflow, "the queue was nearly full"},
	{ReasonRemoved, "the operator dropped what waited for a removed service"},
}

// Reasons returns the reasons of dead letters.
func Reasons() []Reason { return slices.Clone(reasons) }
