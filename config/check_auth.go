package config

import (
	"errors"
	"net/textproto"
	"reflect"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// sets returns the canonical name of the header that carries the credentials, or
// "" when none does.
func (a *Auth) sets() string {
	switch kinds := a.configured(); {
	case len(kinds) != 1:
		return ""
	case a.Header != nil:
		return textproto.CanonicalMIMEHeaderKey(a.Header.Name)
	case a.JWT != nil && a.JWT.Query == "":
		return textproto.CanonicalMIMEHeaderKey(a.JWT.Header)
	case kinds[0].Tag.Get("sets") == "Authorization":
		return "Authorization"
	}
	return ""
}

// checkAuth judges all of auth but the values of its secrets.
func (c serviceChecks) checkAuth(at place, s *Service) {
	f, a := c.rules, &s.Auth
	kinds := a.kinds()
	for i := 1; i < len(kinds); i++ {
		f.report(at, kinds[i], "%s cannot stand beside %s (a service has one kind of auth)", kinds[i], kinds[0])
	}
	if a.Basic != nil {
		f.user(at.in("basic"), a.Basic.User, a.Basic.Password)
	}
	if a.WSSE != nil {
		f.user(at.in("wsse"), a.WSSE.User, a.WSSE.Password)
	}
	if a.Header != nil {
		f.authHeader(at.in("header"), a.Header)
	}
	if a.JWT != nil {
		f.jwt(at.in("jwt"), a.JWT)
	}
	if a.AWS != nil {
		f.aws(at.in("aws"), a.AWS)
	}
	if a.OAuth2 != nil {
		f.oauth2(at.in("oauth2"), a.OAuth2)
	}
}

// kinds returns the kinds that are configured.
func (a *Auth) kinds() []string {
	var kinds []string
	for _, field := range a.configured() {
		kind, _ := tomlKey(field)
		kinds = append(kinds, kind)
	}
	return kinds
}

func (a *Auth) configured() []reflect.StructField {
	var fields []reflect.StructField
	v := reflect.ValueOf(a).Elem()
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			fields = append(fields, v.Type().Field(i))
		}
	}
	return fields
}

func (f rules) user(at place, user string, password Secret) {
	f.present(at, "user", user)
	f.required(at, "password", password, "")
	if strings.HasSuffix(at.key, "basic") && strings.Contains(user, ":") {
		f.report(at, "user", "user %q has a colon, which basic authentication cannot carry", user)
	}
}

func (f rules) aws(at place, a *AWS) {
	f.present(at, "region", a.Region)
	f.present(at, "service", a.Service)
	f.required(at, "access_key", a.AccessKey, "")
	f.required(at, "secret_key", a.SecretKey, "")
}

func (f rules) authHeader(at place, h *HeaderAuth) {
	why := ownHeader(h.Name)
	switch {
	case !f.present(at, "name", h.Name):
	case !headerName.MatchString(h.Name):
		f.report(at, "name", "name %q is not the name of a header", h.Name)
	case why != "":
		f.report(at, "name", "name %q cannot be set here (%s)", h.Name, why)
	}
	f.required(at, "value", h.Value, "")
}

func (f rules) oauth2(at place, o *OAuth2) {
	if f.present(at, "token_url", o.TokenURL) {
		f.link(at, "token_url", o.TokenURL, "http", "https")
	}
	f.oneOf(at, "grant", o.Grant, "client_credentials", "password", "refresh_token", "jwt_bearer")
	f.oneOf(at, "auth_style", o.AuthStyle, "auto", "basic", "body")
	if o.Grant == "client_credentials" {
		f.present(at, "client_id", o.ClientID)
	}
	for _, needed := range []struct {
		grant, key string
		given      bool
	}{
		{"client_credentials", "client_secret", o.ClientSecret.Set()},
		{"password", "user", o.User != ""},
		{"password", "password", o.Password.Set()},
		{"refresh_token", "refresh_token", o.RefreshToken.Set()},
		{"jwt_bearer", "assertion", o.Assertion != nil},
	} {
		switch {
		case o.Grant == needed.grant && !needed.given:
			f.report(at, needed.key, "%s is missing", needed.key)
		case o.Grant != needed.grant && needed.given && needed.key != "client_secret":
			f.report(at, needed.key, "%s needs grant = %q", needed.key, needed.grant)
		}
	}
	if o.Assertion != nil {
		f.jwt(at.in("assertion"), o.Assertion)
		if strings.Contains(string(o.Assertion.Claims), "#") {
			f.report(at.in("assertion"), "claims", "claims hold a #: a token is asked for without an event, so no tag stands for anything")
		}
	}
}

func (f rules) jwt(at place, j *JWT) {
	f.oneOf(at, "alg", j.Alg, JWTAlgs()...)
	f.required(at, "key", j.Key, "")
	f.positive(at, "expires", j.Expires)
	if why := ownHeader(j.Header); j.Query == "" && why != "" {
		f.report(at, "header", "header %q cannot be set here (%s)", j.Header, why)
	}
	if !headerName.MatchString(j.Header) {
		f.report(at, "header", "header %q is not the name of a header", j.Header)
	}
}

// SigningKey reads the key, and tries it: one of another curve, or one too short,
// can be read and cannot sign. The error does not quote it.
func (j *JWT) SigningKey() (method jwt.SigningMethod, key any, err error) {
	method = jwt.GetSigningMethod(j.Alg)
	text := []byte(j.Key.Value())
	switch {
	case method == nil:
		return nil, nil, errors.New("is not known")
	case strings.HasPrefix(j.Alg, "HS"):
		key = text
	case strings.HasPrefix(j.Alg, "ES"):
		key, err = jwt.ParseECPrivateKeyFromPEM(text)
	case j.Alg == "EdDSA":
		key, err = jwt.ParseEdPrivateKeyFromPEM(text)
	default:
		key, err = jwt.ParseRSAPrivateKeyFromPEM(text)
	}
	if err == nil {
		_, err = method.Sign("", key)
	}
	return method, key, err
}

// signingKey judges the key of a token, once it is resolved.
func (j *JWT) signingKey(report reporter, at place) {
	if !slices.Contains(JWTAlgs(), j.Alg) || j.Key.Value() == "" { // which is reported elsewhere
		return
	}
	if _, _, err := j.SigningKey(); err != nil {
		report(at, "key", "key cannot sign with %s, which wants a private key of its own kind in PEM form, not encrypted", j.Alg)
	}
}
