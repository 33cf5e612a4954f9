package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"callrelay/config"
	"callrelay/relay/exchange"
)

// unsigned stands for the hash of a body that TLS protects.
const unsigned = "UNSIGNED-PAYLOAD"

// A Sender signs each attempt and hands it on. Large files go to S3 in parts. Safe
// for concurrent use.
type Sender struct {
	next    exchange.Sender
	signer  *v4.Signer
	key     aws.Credentials
	region  string
	service string
	storage bool // the service is S3, whose paths are escaped once
	secured bool

	whole, part int64 // bytes: see wholeBytes
}

// New makes the Sender of a service that has auth.aws.
func New(s *config.Service, next exchange.Sender) *Sender {
	a := s.Auth.AWS
	storage := a.Service == "s3"
	return &Sender{
		next:   next,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = storage }),
		key:    aws.Credentials{AccessKeyID: a.AccessKey.Value(), SecretAccessKey: a.SecretKey.Value(), SessionToken: a.SessionToken.Value()},
		region: a.Region, service: a.Service, storage: storage, secured: exchange.Secured(s), whole: wholeBytes, part: partBytes,
	}
}

// Next is the sender that makes the exchanges.
func (s *Sender) Next() exchange.Sender { return s.next }

// Send makes one attempt: one exchange, or one for each part of a large file.
func (s *Sender) Send(ctx context.Context, a *exchange.Attempt) (exchange.Reply, error) {
	if s.inParts(a) {
		return s.upload(ctx, a)
	}
	return s.send(ctx, a)
}

func (s *Sender) send(ctx context.Context, a *exchange.Attempt) (exchange.Reply, error) {
	if err := s.sign(ctx, a, time.Now()); err != nil {
		return exchange.Reply{}, err
	}
	reply, err := s.next.Send(ctx, a)
	reply.Held = reply.Status == http.StatusBadRequest && blamesSigning(reply.Body)
	return reply, err
}

// blamesSigning reports whether a refusal, which says 400 of all that is wrong,
// speaks of the credentials, the clock or the connection.
func blamesSigning(body []byte) bool {
	for _, code := range []string{
		"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "AuthorizationHeaderMalformed", "InvalidSignature", "IncompleteSignature",
		"UnrecognizedClient", "RequestExpired", "RequestTimeout", "XAmzContentSHA256Mismatch", "BadDigest", "IncompleteBody",
	} {
		if bytes.Contains(body, []byte(code)) {
			return true
		}
	}
	return false
}

// sign gives an attempt its headers, and its URL the form that is signed.
func (s *Sender) sign(ctx context.Context, a *exchange.Attempt, now time.Time) error {
	sum, err := s.payload(a)
	if err != nil {
		return err
	}
	u := a.URL
	if !s.storage {
		u = u.JoinPath() // without // and dots: other services sign what a path means
	}
	strict := *u
	strict.RawPath = strictPath(u)
	if s.storage {
		a.Header.Set("X-Amz-Content-Sha256", sum)
	}
	r := &http.Request{Method: a.Method, URL: &strict, Host: a.Host, Header: http.Header{}}
	for _, f := range a.Header {
		r.Header.Add(f.Name, f.Value)
	}
	if err := s.signer.SignHTTP(ctx, s.key, r, sum, s.service, s.region, now); err != nil {
		return err
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		if value := r.Header.Get(name); value != "" {
			a.Header.Set(name, value)
		}
	}
	a.URL, a.Host = &strict, r.Host
	return nil
}

// payload is the hash of the body. That of a recording is known, or found once.
func (s *Sender) payload(a *exchange.Attempt) (string, error) {
	if s.storage && s.secured && len(a.Files) > 0 {
		return unsigned, nil
	}
	if len(a.Files) == 1 && len(a.Body) == 0 {
		if known, ok := a.Files[0].File.(interface{ SHA256() string }); ok {
			if sum := known.SHA256(); sum != "" {
				return sum, nil
			}
		}
	}
	h := sha256.New()
	err := a.CopyBody(h)
	return hex.EncodeToString(h.Sum(nil)), err
}

// strictPath escapes all of a path but what AWS leaves as it is.
func strictPath(u *url.URL) string {
	parts := strings.Split(u.EscapedPath(), "/")
	for i, part := range parts {
		text, _ := url.PathUnescape(part) // it is escaped
		parts[i] = strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	}
	return strings.Join(parts, "/")
}
