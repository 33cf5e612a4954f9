package exchange

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"callrelay/config"

	"github.com/golang-jwt/jwt/v5"
)

// pemKey writes a private key.
func pemKey(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestTokensOfEveryAlgorithm(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	now := time.Now()
	for _, alg := range config.JWTAlgs() {
		key, public := "0123456789", any([]byte("0123456789"))
		switch {
		case curves[alg] != nil:
			k, err := ecdsa.GenerateKey(curves[alg], rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			key, public = pemKey(t, k), k.Public()
		case alg == "EdDSA":
			_, k, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			key, public = pemKey(t, k), k.Public()
		case !strings.HasPrefix(alg, "HS"):
			key, public = pemKey(t, rsaKey), rsaKey.Public()
		}
		s, err := NewSigned(&config.JWT{Alg: alg, Key: config.NewSecret(key), KeyID: "k1", Expires: time.Minute})
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		text, err := s.Token([]byte(`{"sub":"ann \"x\"","n":9007199254740993}`), now)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		claims := jwt.MapClaims{}
		token, err := jwt.NewParser(jwt.WithJSONNumber(), jwt.WithValidMethods([]string{alg})).ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return public, nil })
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		exp, _ := claims.GetExpirationTime()
		if claims["sub"] != `ann "x"` || token.Header["kid"] != "k1" || exp.Unix() != now.Add(time.Minute).Unix() || !strings.Contains(claims["n"].(interface{ String() string }).String(), "9007199254740993") {
			t.Errorf("%s: header %v, claims %v", alg, token.Header, claims)
		}
	}
}

func TestAKeyThatDoesNotFitIsNotQuoted(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "none"} {
		if _, err := NewSigned(&config.JWT{Alg: alg, Key: config.NewSecret("hunter2")}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestAKeyThatCannotSignIsRefusedBeforeAnEventNeedsIt(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[string]crypto.Signer{"ES256": curve, "PS512": short} {
		if _, err := NewSigned(&config.JWT{Alg: alg, Key: config.NewSecret(pemKey(t, key))}); err == nil {
			t.Errorf("%s: a key that does not fit it is taken", alg)
		}
	}
}
