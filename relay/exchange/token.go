package exchange

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"callrelay/config"
)

const (
	maxToken     = 1 << 20 // bytes of a token endpoint's answer
	maxTokenLife = 365 * 24 * time.Hour
)

// token is what a token endpoint gave.
type token struct {
	text string
	life time.Duration // 0: it says nothing of that
}

// tokenAsker asks a token endpoint for tokens, with one request each time. It is
// not safe for concurrent use.
type tokenAsker struct {
	o      *config.OAuth2
	client *http.Client
	keep   Keeper
	name   string  // under which a rotated refresh token is kept
	signer *Signed // of the assertion; nil: none

	inBody  bool // how the client shows who it is at the next request
	settled bool // that has worked
	renewal string
}

func newTokenAsker(service string, o *config.OAuth2, client *http.Client, keep Keeper) (*tokenAsker, error) {
	t := &tokenAsker{o: o, client: client, keep: keep, name: StateName("oauth2", service)}
	t.inBody = o.AuthStyle == "body" || !o.ClientSecret.Set()
	t.settled = t.inBody || o.AuthStyle == "basic"
	t.renewal = t.kept()
	if o.Assertion == nil {
		return t, nil
	}
	var err error
	t.signer, err = NewSigned(o.Assertion)
	return t, err
}

// get makes one request. A style of authentication that was refused before any
// worked gives way to the other one, for the next request.
func (t *tokenAsker) get(ctx context.Context) (*token, error) {
	form, err := t.form()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.o.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !t.inBody {
		req.SetBasicAuth(url.QueryEscape(t.o.ClientID), url.QueryEscape(t.o.ClientSecret.Value()))
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return nil, err
	}
	answer := readTokenAnswer(body)
	if resp.StatusCode/100 != 2 || answer.Error != "" {
		if !t.settled && resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusTooManyRequests {
			t.inBody = !t.inBody
		}
		// Its further words are left out: they may repeat the credentials.
		return nil, fmt.Errorf("status %d %s", resp.StatusCode, Clip(answer.Error))
	}
	got, err := answer.token()
	if err == nil {
		t.settled = true
		err = t.rotate(answer.RefreshToken)
	}
	return got, err
}

// form is what is asked for. What the file adds overrides it.
func (t *tokenAsker) form() (url.Values, error) {
	form := url.Values{"grant_type": {t.o.Grant}}
	switch t.o.Grant {
	case "password":
		form.Set("username", t.o.User)
		form.Set("password", t.o.Password.Value())
	case "refresh_token":
		form.Set("refresh_token", t.renewal)
	case "jwt_bearer":
		assertion, err := t.signer.Token([]byte(t.o.Assertion.Claims), time.Now())
		if err != nil {
			return nil, err
		}
		form.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
		form.Set("assertion", assertion)
	default:
		form.Set("grant_type", "client_credentials")
	}
	if len(t.o.Scopes) > 0 {
		form.Set("scope", strings.Join(t.o.Scopes, " "))
	}
	if t.inBody && t.o.ClientID != "" {
		form.Set("client_id", t.o.ClientID)
		if t.o.ClientSecret.Set() {
			form.Set("client_secret", t.o.ClientSecret.Value())
		}
	}
	for _, p := range t.o.Params {
		form.Set(p.Name, p.Value)
	}
	return form, nil
}

// keptToken is a refresh token that took the place of the one in the file.
type keptToken struct {
	First string // hash of the one in the file
	Token string
}

// kept is the refresh token to begin with: the one that the endpoint gave last,
// unless the file has another one since.
func (t *tokenAsker) kept() string {
	var k keptToken
	if t.o.Grant == "refresh_token" && t.keep != nil {
		if data, err := t.keep.Load(t.name); err == nil && json.Unmarshal(data, &k) == nil && k.First == t.first() {
			return k.Token
		}
	}
	return t.o.RefreshToken.Value()
}

func (t *tokenAsker) first() string {
	sum := sha256.Sum256([]byte(t.o.RefreshToken.Value()))
	return hex.EncodeToString(sum[:])
}

// rotate takes over the refresh token that an endpoint gives in the place of the
// one that was shown, which it may take no more. It is on disk before anything
// is done with the token that came with it.
func (t *tokenAsker) rotate(next string) error {
	if t.o.Grant != "refresh_token" || next == "" || next == t.renewal {
		return nil
	}
	t.renewal = next
	if t.keep == nil {
		return nil
	}
	data, err := json.Marshal(keptToken{t.first(), next})
	if err == nil {
		err = t.keep.Save(t.name, data)
	}
	if err != nil {
		return fmt.Errorf("keep the refresh token: %w", err)
	}
	return nil
}

// tokenAnswer is what token endpoints say, whatever they call its type.
type tokenAnswer struct {
	AccessToken  string          `json:"access_token"`
	TokenType    string          `json:"token_type"`
	ExpiresIn    json.RawMessage `json:"expires_in"`
	RefreshToken string          `json:"refresh_token"`
	Error        string          `json:"error"`
}

// readTokenAnswer reads an answer in JSON or, as some send it, as a form, or
// packed by a server that was not asked to.
func readTokenAnswer(body []byte) tokenAnswer {
	var a tokenAnswer
	if packed, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		body, _ = io.ReadAll(io.LimitReader(packed, maxToken)) // of one that is cut off, what came
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) > 0 && body[0] == '{' {
		_ = json.Unmarshal(body, &a) // what cannot be read is missing
		return a
	}
	if form, err := url.ParseQuery(string(body)); err == nil {
		a.AccessToken, a.TokenType, a.Error = form.Get("access_token"), form.Get("token_type"), form.Get("error")
		a.ExpiresIn, a.RefreshToken = json.RawMessage(form.Get("expires_in")), form.Get("refresh_token")
	}
	return a
}

// token is the token of an answer. It is a bearer token, whatever the endpoint
// calls that; the few other types there are prove something with each request.
func (a tokenAnswer) token() (*token, error) {
	text := strings.TrimSpace(a.AccessToken)
	switch {
	case text == "":
		return nil, errors.New("gave no token")
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, errors.New("gave a token that no header can carry")
	case slices.Contains([]string{"mac", "dpop", "pop", "n_a"}, strings.ToLower(a.TokenType)):
		return nil, fmt.Errorf("gave a token of a type that is not known: %s", Clip(a.TokenType))
	}
	return &token{text: text, life: lifeOf(a.ExpiresIn)}, nil
}

// lifeOf reads expires_in, in seconds: a number of any form, or one as text. It
// is 0 where that says nothing.
func lifeOf(raw json.RawMessage) time.Duration {
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), "\" \t"), 64)
	if err != nil || !(seconds > 0) {
		return 0
	}
	return time.Duration(math.Min(seconds, maxTokenLife.Seconds()) * float64(time.Second))
}
