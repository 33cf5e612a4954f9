package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"callrelay/config"

	"github.com/golang-jwt/jwt/v5"
)

// Signed makes JSON Web Tokens. Safe for concurrent use.
type Signed struct {
	method  jwt.SigningMethod
	key     any
	keyID   string
	expires time.Duration
}

// NewSigned reads the key. The error does not quote it.
func NewSigned(j *config.JWT) (*Signed, error) {
	method, key, err := j.SigningKey()
	if err != nil {
		return nil, fmt.Errorf("jwt key for %s: %w", j.Alg, err)
	}
	return &Signed{method: method, key: key, keyID: j.KeyID, expires: j.Expires}, nil
}

// Token makes a token of claims, a JSON object, to which it adds when the token
// was made and when it ends, where they do not say that themselves.
func (s *Signed) Token(claims []byte, now time.Time) (string, error) {
	all := jwt.MapClaims{}
	d := json.NewDecoder(bytes.NewReader(claims))
	d.UseNumber()
	if err := d.Decode(&all); err != nil && len(claims) > 0 {
		return "", fmt.Errorf("jwt claims: %w", err)
	}
	if _, given := all["iat"]; !given {
		all["iat"] = now.Unix()
	}
	if _, given := all["exp"]; !given {
		all["exp"] = now.Add(s.expires).Unix()
	}
	token := jwt.NewWithClaims(s.method, all)
	if s.keyID != "" {
		token.Header["kid"] = s.keyID
	}
	text, err := token.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("sign jwt: %w", err)
	}
	return text, nil
}
