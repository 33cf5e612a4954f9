package deliver

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"callrelay/relay/exchange"
)

// maxTranscript is how much of each body a transcript keeps, in bytes.
const maxTranscript = 64 << 10

// Exchange is one attempt in full, with secrets masked: what DEBUG keeps, and
// what `relay test` shows.
type Exchange struct {
	At       time.Time         `json:"at"`
	Service  string            `json:"service"`
	ID       string            `json:"id"`
	Attempt  int               `json:"attempt"`
	Request  ExchangeRequest   `json:"request"`
	Response *ExchangeResponse `json:"response,omitempty"` // nil: there was no answer
	Elapsed  string            `json:"elapsed"`            // a Go duration
	Seconds  float64           `json:"seconds"`            // the same
	Outcome  string            `json:"outcome"`            // delivered, retry or dead
	Class    string            `json:"class,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// ExchangeRequest is what was sent.
type ExchangeRequest struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body,omitempty"`
}

// ExchangeResponse is what came back, as far as it was read.
type ExchangeResponse struct {
	Status  int         `json:"status"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body,omitempty"`
}

// transcript writes an exchange down. Secrets are masked before bodies are cut,
// so that none is left in part.
func (s *setup) transcript(a *exchange.Attempt, wsse []string, reply exchange.Reply, v verdict, at time.Time, elapsed time.Duration) Exchange {
	hide := append(tokens(a), wsse...)
	x := Exchange{
		At: at.UTC(), Service: s.service.Name, ID: a.ID, Attempt: a.Number,
		Elapsed: elapsed.Round(time.Microsecond).String(), Seconds: elapsed.Seconds(),
		Outcome: v.outcome.String(), Class: v.class, Error: exchange.Clip(s.mask.text(v.err, hide...)),
		Request: ExchangeRequest{
			Method: a.Method, URL: s.mask.text(a.URL.String(), hide...),
			Headers: s.mask.headers(a.Header, hide...), Body: s.shownBody(a.Body, hide),
		},
	}
	if reply.Status != 0 {
		x.Response = &ExchangeResponse{
			Status: reply.Status, Headers: s.mask.headers(reply.Header, hide...),
			Body: s.shownBody(reply.Body, hide),
		}
	}
	return x
}

func (s *setup) shownBody(body []byte, hide []string) string {
	text := s.mask.text(string(bytes.ToValidUTF8(body, []byte("\uFFFD"))), hide...)
	if len(text) > maxTranscript {
		text = strings.ToValidUTF8(text[:maxTranscript], "") + " … (cut)"
	}
	return text
}
