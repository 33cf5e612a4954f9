package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"callrelay/config"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"
)

// refreshEarly is how long before its end a token is replaced, and at most a
// fifth of its life: a token that lives for seconds is not asked for at every
// attempt.
const refreshEarly = time.Minute

// tokenSender is a [Sender] that shows the endpoint an OAuth2 token, got by
// client credentials. Attempts share one token and one request for it. Without
// a token nothing is sent.
type tokenSender struct {
	next   Sender
	conf   *clientcredentials.Config
	client *http.Client // asks for tokens
	ask    singleflight.Group

	mu      sync.Mutex
	token   *oauth2.Token // nil: none, or refused
	refresh time.Time     // when token is to be replaced; zero: never
}

func newTokenSender(o *config.OAuth2, client *http.Client, next Sender) *tokenSender {
	return &tokenSender{
		next:   next,
		client: client,
		conf: &clientcredentials.Config{
			ClientID:     o.ClientID,
			ClientSecret: o.ClientSecret.Value(),
			TokenURL:     o.TokenURL,
			Scopes:       o.Scopes,
		},
	}
}

// Send adds the token. Where the endpoint answers 401 the token may have been
// withdrawn: it is replaced, and the exchange repeated once.
func (s *tokenSender) Send(ctx context.Context, a *Attempt) (Reply, error) {
	asking, cancel := a.within(ctx)
	defer cancel()
	token, err := s.current(asking)
	if err != nil {
		return Reply{}, err
	}
	a.Header.Set("Authorization", token.Type()+" "+token.AccessToken)
	reply, err := s.next.Send(ctx, a)
	if err != nil || reply.Status != http.StatusUnauthorized {
		return reply, err
	}
	s.discard(token)
	if token, err = s.current(asking); err != nil {
		return Reply{}, err
	}
	a.Header.Set("Authorization", token.Type()+" "+token.AccessToken)
	return s.next.Send(ctx, a)
}

func (s *tokenSender) closeIdle() {
	s.client.CloseIdleConnections()
	CloseIdle(s.next)
}

func (s *tokenSender) retire() {
	s.client.CloseIdleConnections()
	Retire(s.next)
}

// current returns the token, asking for one when there is none or it is about
// to end. Those who come meanwhile wait for the same answer.
func (s *tokenSender) current(ctx context.Context) (*oauth2.Token, error) {
	if token := s.valid(); token != nil {
		return token, nil
	}
	answer := s.ask.DoChan("", func() (any, error) {
		if token := s.valid(); token != nil { // another request has just ended
			return token, nil
		}
		// The request serves all who wait, so it outlives the attempt that
		// happened to start it; the client's timeout bounds it.
		return s.fetch(context.WithoutCancel(ctx))
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("token endpoint %s: %w", HostOf(s.conf.TokenURL), ctx.Err())
	case got := <-answer:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*oauth2.Token), nil
	}
}

func (s *tokenSender) valid() *oauth2.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == nil || (!s.refresh.IsZero() && !time.Now().Before(s.refresh)) {
		return nil
	}
	return s.token
}

func (s *tokenSender) fetch(ctx context.Context) (*oauth2.Token, error) {
	token, err := s.conf.Token(context.WithValue(ctx, oauth2.HTTPClient, s.client))
	if err != nil {
		return nil, s.explain(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.refresh = token, time.Time{}
	if !token.Expiry.IsZero() {
		life := time.Until(token.Expiry)
		s.refresh = token.Expiry.Add(-min(refreshEarly, life/5))
	}
	return token, nil
}

// discard drops a token that was refused, unless it was replaced meanwhile.
func (s *tokenSender) discard(token *oauth2.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token = nil
	}
}

// explain names the endpoint that gave no token. What it answered is not told:
// it may repeat the credentials.
func (s *tokenSender) explain(err error) error {
	host := HostOf(s.conf.TokenURL)
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil {
		return fmt.Errorf("token endpoint %s: status %d %s", host, refused.Response.StatusCode, Clip(refused.ErrorCode))
	}
	return fmt.Errorf("token endpoint %s: %w", host, withoutURL(err))
}
