package deliver

import (
	"context"
	"net/textproto"
	"sync/atomic"
	"time"

	"callrelay/config"
	"callrelay/relay/exchange"
	"callrelay/relay/exchange/aws"
	"callrelay/relay/route"
)

// setup is a service made ready to be called. It is never changed: a reload
// makes another, and attempts under way finish with the one they began with.
type setup struct {
	service   *route.Service
	sender    exchange.Sender
	inherited bool // the sender is that of the setup before
	judge     judgement
	signer    exchange.Signer
	header    [2]string // name and value of the credentials, if any
	mask      *mask
	environment
	stamp    string           // of the TLS files the sender was made with
	jwt      *exchange.Signed // nil: no token is signed
	unsigned error            // why attempts cannot be signed, and so are not made
	debugEnd time.Time        // when debug ends by itself; zero: it does not

	last atomic.Pointer[address] // the one parsed last: mostly all are the same
}

// environment is what setups have in common.
type environment struct {
	recordings Recordings
	late       time.Duration // how long a missing recording is watched for
	userAgent  string
	own        []string
	keep       exchange.Keeper
}

// newSetup makes a service ready. Connections and tokens of old are kept where
// nothing they depend on has changed. A setting that cannot be used, such as a
// missing certificate, makes every attempt fail with a text that names it.
func newSetup(s *route.Service, env environment, old *setup) *setup {
	n := &setup{
		service:     s,
		judge:       newJudgement(&s.Service),
		mask:        newMask(&s.Service),
		environment: env,
		stamp:       exchange.FilesStamp(s.TLS),
	}
	n.header[0], n.header[1] = exchange.Credentials(&s.Service)
	n.header[0] = textproto.CanonicalMIMEHeaderKey(n.header[0])
	n.debugEnd = debugEnd(s.Debug, old)
	if old != nil && old.stamp == n.stamp && exchange.SameClient(&old.service.Service, &s.Service) {
		n.sender, n.inherited = old.sender, true
	} else {
		n.sender = senderFor(&s.Service, env)
	}
	n.signer, n.unsigned = exchange.NewSigner(s.Signing)
	if s.Auth.JWT != nil && n.unsigned == nil {
		n.jwt, n.unsigned = exchange.NewSigned(s.Auth.JWT)
	}
	return n
}

// senderFor never fails: the sender of a service that cannot be called as it is
// configured says why at each attempt.
func senderFor(s *config.Service, env environment) exchange.Sender {
	sender, err := exchange.New(s, env.own, env.keep)
	switch {
	case err != nil:
		return exchange.SenderFunc(func(context.Context, *exchange.Attempt) (exchange.Reply, error) { return exchange.Reply{}, err })
	case s.Auth.AWS != nil:
		return aws.New(s, sender)
	}
	return sender
}

// succeed ends the connections of the setup before. When the service is called
// over TLS from now on, nothing goes out in the clear any more.
func (s *setup) succeed(old *setup) {
	if exchange.Secured(&s.service.Service) && !exchange.Secured(&old.service.Service) {
		exchange.Retire(old.sender)
	} else {
		exchange.CloseIdle(old.sender)
	}
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
