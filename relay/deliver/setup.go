package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"callrelay/config"
	"callrelay/relay/call"
	"callrelay/relay/route"
	"callrelay/render"
)

// setup is a service made ready to be called. It is never changed: a reload
// makes another, and attempts under way finish with the one they began with.
type setup struct {
	service    *route.Service
	sender     Sender
	inherited  bool // the sender is that of the setup before
	judge      judgement
	signer     signer
	header     [2]string // name and value of the credentials, if any
	mask       *mask
	recordings Recordings
	late       time.Duration // how long a missing recording is watched for
	userAgent  string
	stamp      string    // of the TLS files the sender was made with
	unsigned   error     // why attempts cannot be signed, and so are not made
	debugEnd   time.Time // when debug ends by itself; zero: it does not

	last atomic.Pointer[address] // the one parsed last: mostly all are the same
}

// address is a rendered URL and what it reads as.
type address struct {
	written string
	url     *url.URL
}

// environment is what setups have in common.
type environment struct {
	recordings Recordings
	late       time.Duration
	userAgent  string
	own        []string
}

// newSetup makes a service ready. Connections and tokens of old are kept where
// nothing they depend on has changed. A setting that cannot be used, such as a
// missing certificate, makes every attempt fail with a text that names it.
func newSetup(s *route.Service, env environment, old *setup) *setup {
	n := &setup{
		service:    s,
		judge:      judgement{success: s.Success, retryOn: s.RetryOn, soap: s.Type == "soap"},
		mask:       newMask(&s.Service),
		recordings: env.recordings,
		late:       env.late,
		userAgent:  env.userAgent,
		stamp:      filesStamp(s.TLS),
	}
	n.header[0], n.header[1] = credentials(&s.Service)
	n.debugEnd = debugEnd(s.Debug, old)
	if old != nil && old.stamp == n.stamp && sameClient(&old.service.Service, &s.Service) {
		n.sender, n.inherited = old.sender, true
	} else {
		n.sender = senderFor(&s.Service, env.own)
	}
	n.signer, n.unsigned = newSigner(s.Signing)
	return n
}

// senderFor never fails: the sender of a service that cannot be called as it is
// configured says why at each attempt.
func senderFor(s *config.Service, own []string) Sender {
	sender, err := newSender(s, own)
	if err != nil {
		return SenderFunc(func(context.Context, *Attempt) (Reply, error) { return Reply{}, err })
	}
	return sender
}

// debugEnd keeps the end of a debug that a reload leaves as it was.
func debugEnd(d config.Debug, old *setup) time.Time {
	switch {
	case !d.On || d.For == 0:
		return time.Time{}
	case old != nil && old.service.Debug == d:
		return old.debugEnd
	default:
		return time.Now().Add(d.For)
	}
}

// debug reports whether exchanges are kept whole.
func (s *setup) debug(now time.Time) bool {
	return s.service.Debug.On && (s.debugEnd.IsZero() || now.Before(s.debugEnd))
}

// client is the part of a service that its connections and tokens depend on.
type client struct {
	tls          *config.TLS
	oauth2       *config.OAuth2
	proxy        string
	allowPrivate bool
	timeout      time.Duration
	maxResponse  int64
	concurrency  int
}

func sameClient(a, b *config.Service) bool {
	part := func(s *config.Service) client {
		return client{s.TLS, s.Auth.OAuth2, s.Proxy.Value(), s.AllowPrivate, s.Timeout, s.MaxResponse, s.Concurrency}
	}
	return reflect.DeepEqual(part(a), part(b))
}

// sameCall reports whether two forms of a service send the same to the same
// place, so that what the endpoint refused it would refuse again.
func sameCall(a, b *config.Service) bool {
	part := func(s *config.Service) config.Service {
		c := *s
		c.Name, c.Description, c.Group, c.Active, c.Debug = "", "", "", false, config.Debug{}
		c.Order, c.Concurrency, c.Rate, c.Breaker = "", 0, config.Rate{}, config.Breaker{}
		c.RetrySchedule, c.MaxAge, c.Timezone = nil, 0, nil
		return c
	}
	return reflect.DeepEqual(part(a), part(b)) && a.Timezone.String() == b.Timezone.String()
}

// prepare renders an attempt. Its error is a [*render.Error] when the event
// cannot be written as the service wants it.
func (s *setup) prepare(e *call.Event, n int, now time.Time) (*Attempt, []string, error) {
	t := tags{event: e, service: s.service, recordings: s.recordings, attempt: n, now: now}
	req, err := s.service.Template.Render(t.value, now)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.attempt(req, e.ID, n, now)
	return a, req.Mask, err
}

// attempt adds to a rendered request what every attempt carries.
func (s *setup) attempt(req render.Request, id string, n int, now time.Time) (*Attempt, error) {
	u, err := s.parse(req.URL)
	if err != nil {
		return nil, err
	}
	a := &Attempt{ID: id, Number: n, Method: req.Method, URL: u, Body: req.Body}
	a.Header = make(http.Header, len(req.Header)+8)
	a.Header["User-Agent"] = []string{s.userAgent}
	for _, f := range req.Header {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if name == "Host" {
			a.Host = f.Value
		} else {
			a.Header[name] = []string{f.Value}
		}
	}
	if req.ContentType != "" {
		a.Header["Content-Type"] = []string{req.ContentType}
	}
	if req.SOAPAction != "" {
		a.Header["SOAPAction"] = []string{req.SOAPAction} // as old servers look for it
	}
	if s.header[0] != "" {
		a.Header.Set(s.header[0], s.header[1])
	}
	return a, s.stampAttempt(a, now)
}

// stampAttempt gives an attempt the headers that receivers know it by.
func (s *setup) stampAttempt(a *Attempt, now time.Time) error {
	id := webhookID(a.ID)
	a.Header["Webhook-Id"] = []string{id}
	a.Header["Webhook-Timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	a.Header["Relay-Attempt"] = []string{strconv.Itoa(a.Number)}
	if len(s.signer) == 0 {
		return nil
	}
	signature, err := s.signer.sign(id, now, a.Body)
	a.Header["Webhook-Signature"] = []string{signature}
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

func (s *setup) send(ctx context.Context, a *Attempt) (Reply, error) {
	if s.unsigned != nil {
		return Reply{}, s.unsigned
	}
	return s.sender.Send(ctx, a)
}

// exchange sends an attempt and judges what came of it.
func (s *setup) exchange(ctx context.Context, a *Attempt) (verdict, Reply, time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, s.service.Timeout)
	defer cancel()
	start := time.Now()
	reply, err := s.send(ctx, a)
	elapsed := time.Since(start)
	if err == nil {
		return s.judge.answer(reply, start.Add(elapsed)), reply, elapsed
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = fmt.Errorf("no whole answer within %s: %w", s.service.Timeout, context.DeadlineExceeded)
	}
	return failure(err), reply, elapsed
}

// recordingOf returns the recording that an event's delivery has to wait for,
// and until when at most; empty when there is none to wait for.
func (s *setup) recordingOf(e *call.Event, accepted time.Time) (path string, until time.Time) {
	if !s.service.UsesRecording && !s.service.UsesAgentRecording {
		return "", time.Time{}
	}
	wait, _ := s.recordings.Settings()
	until = accepted.Add(wait)
	if !time.Now().Before(until) {
		return "", until
	}
	return s.pending(e), until
}

// pending returns a recording of the event that the service uses and that is
// not complete; empty when there is none.
func (s *setup) pending(e *call.Event) string {
	_, agent := s.recordings.Settings()
	for _, path := range awaited(s.service, e, agent) {
		if s.recordings.Look(path, -1, -1).State == RecordingPending {
			return path
		}
	}
	return ""
}

// lateOf returns the recording that an attempt goes out without although it may
// still be completed; empty when there is none.
func (s *setup) lateOf(e *call.Event) string {
	if !s.service.UsesRecording && !s.service.UsesAgentRecording {
		return ""
	}
	return s.pending(e)
}

// watchLate has a recording announced when it is completed after all.
func (s *setup) watchLate(path string, d *delivery) {
	wait, _ := s.recordings.Settings()
	s.recordings.Late(path, d.event, d.accepted.Add(wait+s.late))
}
