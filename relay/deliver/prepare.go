package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/exchange"
	"callrelay/render"
)

// prepare renders an attempt, which is to be closed. Its error is a
// [*render.Error] when the event cannot be written as the service wants it, and
// a [*exchange.FileError] when its recording cannot be read as it is now.
func (s *setup) prepare(e *call.Event, n int, now time.Time) (*exchange.Attempt, []string, error) {
	t := tags{event: e, service: s.service, recordings: s.recordings, attempt: n, now: now}
	req, err := s.service.Template.Render(t.value, now)
	if err != nil {
		return nil, nil, err
	}
	files, err := t.open(req.Files)
	if err != nil {
		(&exchange.Attempt{Files: files}).Close()
		return nil, nil, err
	}
	a, err := s.attempt(req, files, e.ID, n, now)
	mask := req.Mask
	if err == nil && s.jwt != nil {
		var token string
		token, err = s.jwt.Token(req.Claims, now)
		s.show(a, token)
		mask = append(mask, token)
	}
	if err != nil {
		(&exchange.Attempt{Files: files}).Close()
	}
	return a, mask, err
}

// show gives an attempt a token, in the header or the parameter of its service.
func (s *setup) show(a *exchange.Attempt, token string) {
	switch j := s.service.Auth.JWT; {
	case j.Query != "":
		u := *a.URL
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += url.QueryEscape(j.Query) + "=" + token
		a.URL = &u
	case strings.EqualFold(j.Header, "Authorization"):
		a.Header.Set("Authorization", "Bearer "+token)
	default:
		a.Header.Set(textproto.CanonicalMIMEHeaderKey(j.Header), token)
	}
}

// attempt adds to a rendered request what every attempt carries.
func (s *setup) attempt(req render.Request, files []exchange.Insert, id string, n int, now time.Time) (*exchange.Attempt, error) {
	u, err := s.parse(req.URL)
	if err != nil {
		return nil, err
	}
	a := &exchange.Attempt{ID: id, Number: n, Method: req.Method, URL: u, Body: req.Body, Files: files}
	if len(files) > 0 {
		a.Idle = s.service.Timeout
	}
	a.Header = make(exchange.Headers, 0, len(req.Header)+10)
	a.Header = append(a.Header, exchange.Field{Name: "Accept", Value: "*/*"}, exchange.Field{Name: "User-Agent", Value: s.userAgent})
	for _, f := range req.Header {
		a.Header.Set(textproto.CanonicalMIMEHeaderKey(f.Name), f.Value)
	}
	if req.ContentType != "" {
		a.Header.Set("Content-Type", req.ContentType)
	}
	if req.SOAPAction != "" {
		a.Header.Set("SOAPAction", req.SOAPAction) // as old servers look for it
	}
	if s.header[0] != "" {
		a.Header.Set(s.header[0], s.header[1])
	}
	return a, s.identify(a, now)
}

// identify gives an attempt the headers that receivers know it by.
func (s *setup) identify(a *exchange.Attempt, now time.Time) error {
	id := exchange.WebhookID(a.ID)
	a.Header.Set("Webhook-Id", id)
	a.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	a.Header.Set("Relay-Attempt", strconv.Itoa(a.Number))
	a.Header.Set("Relay-Service", s.service.Name)
	if len(s.signer) == 0 {
		return nil
	}
	signature, err := s.signer.Sign(id, now, a)
	a.Header.Set("Webhook-Signature", signature)
	return err
}

// parse reads a rendered URL, remembering the last.
func (s *setup) parse(written string) (*url.URL, error) {
	if last := s.last.Load(); last != nil && last.written == written {
		return last.url, nil
	}
	u, err := url.Parse(written)
	if err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") {
		return nil, &render.Error{Key: "url", Text: "is no URL once it is rendered"}
	}
	s.last.Store(&address{written, u})
	return u, nil
}

func (s *setup) send(ctx context.Context, a *exchange.Attempt) (exchange.Reply, error) {
	if s.unsigned != nil {
		return exchange.Reply{}, s.unsigned
	}
	return s.sender.Send(ctx, a)
}

// exchange sends an attempt that begins at start and judges what came of it.
func (s *setup) exchange(ctx context.Context, a *exchange.Attempt, start time.Time) (verdict, exchange.Reply, time.Duration) {
	a.Deadline = start.Add(s.service.Timeout)
	reply, err := s.send(ctx, a)
	elapsed := time.Since(start)
	if err == nil {
		return s.judge.answer(reply, start.Add(elapsed)), reply, elapsed
	}
	if errors.Is(err, exchange.ErrRetired) {
		return verdict{unmade: true, err: err.Error()}, reply, elapsed
	}
	if exchange.TimedOut(err) && elapsed >= s.service.Timeout {
		what := "no whole answer within"
		if a.Idle > 0 {
			what = "nothing has moved for"
		}
		err = fmt.Errorf("%s %s: %w", what, s.service.Timeout, context.DeadlineExceeded)
	}
	return s.judge.cutOff(reply, err, start.Add(elapsed)), reply, elapsed
}

// address is a rendered URL and what it reads as.
type address struct {
	written string
	url     *url.URL
}
