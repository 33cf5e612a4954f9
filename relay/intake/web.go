package intake

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/limit"
)

// eventsPath is where events are posted.
const eventsPath = "/v1/events"

// httpIntake takes events by HTTP, on both listeners.
type httpIntake struct{ *Server }

// newWeb makes the HTTP server behind both listeners.
func (s httpIntake) newWeb() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      2 * requestTimeout, // from the headers on: the reading and the commit are in it
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    limit.HeadBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext:       limit.WithConn,
	}
}

// serveHTTP lets in who may send events, and finds the route.
func (s httpIntake) serveHTTP(w http.ResponseWriter, r *http.Request) {
	c := limit.OfRequest(r)
	local := c.LocalAddr().Network() == "unix" // it came by the socket
	events := r.URL.Path == eventsPath
	w.Header().Set("Server", "relay/"+s.version)
	switch {
	case c.Denied:
		s.answerRefusal(w, errForbidden, nil)
	case events && (local || s.authorized(r, false)):
		s.serveEvents(w, r)
	case !events && (local || s.authorized(r, true)):
		s.serveFurther(w, r)
	default:
		if r.Header.Get("Authorization") != "" {
			s.guesses.Wrong(r.Context(), limit.Address(r.RemoteAddr))
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="relay"`)
		s.answerRefusal(w, errUnauthorized, nil)
	}
}

// serveFurther serves the routes added by [Server.Handle].
func (s httpIntake) serveFurther(w http.ResponseWriter, r *http.Request) {
	h, pattern := s.further.Handler(r)
	if pattern == "" {
		s.answerRefusal(w, errNotFound, nil)
		return
	}
	limit.OfRequest(r).Prove()
	h.ServeHTTP(w, r)
}

// authorized reports whether a request has the token of the loopback listener:
// as a bearer token, or where basic is true as a password.
func (s httpIntake) authorized(r *http.Request, basic bool) bool {
	want := s.table().Config.Intake.Token.Value()
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case basic && strings.EqualFold(scheme, "Basic"):
		_, given, _ = r.BasicAuth()
	default:
		return false
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return want != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// serveEvents takes the events of one request, all of them or none.
func (s httpIntake) serveEvents(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.answerRefusal(w, errMethod, nil)
		return
	}
	c := limit.OfRequest(r)
	if c.LocalAddr().Network() != "unix" {
		c.Prove() // it has the token
	}
	form, err := formOf(r.Header)
	if err != nil {
		s.answerRefusal(w, err, nil)
		return
	}
	body, leave, err := s.readBody(w, r)
	defer leave()
	if err != nil {
		s.answerRefusal(w, err, nil)
		return
	}
	b, problems, err := s.collectAll(form, body.Bytes())
	release(body)
	if err != nil {
		s.answerRefusal(w, err, problems)
		return
	}
	done := make(chan error, 1)
	s.commit(b, func(err error) { done <- err })
	if err := <-done; err != nil {
		s.answerRefusal(w, err, nil)
		return
	}
	c.Prove()
	reply(w, http.StatusAccepted, b.appendAccepted(nil))
}

// answerRefusal answers a request that is refused, with the problems of its
// events where those are the reason, and ends its connection.
func (s httpIntake) answerRefusal(w http.ResponseWriter, err error, problems []problem) {
	s.refuse(err)
	status, _ := classify(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second)) // the rest of it is not waited for
	body := appendText([]byte(`{"error":`), err.Error())
	if len(problems) > 0 {
		body = appendProblems(append(body, `,"problems":`...), problems)
	}
	reply(w, status, append(body, "}\n"...))
}

func reply(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a peer that is gone sends the events again
}
