package render

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
)

// The names of the OASIS Username Token Profile.
const (
	oasis         = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
	wsse          = oasis + "wssecurity-secext-1.0.xsd"
	wsu           = oasis + "wssecurity-utility-1.0.xsd"
	passwordText  = oasis + "username-token-profile-1.0#PasswordText"
	passwordHash  = oasis + "username-token-profile-1.0#PasswordDigest"
	base64Binary  = oasis + "soap-message-security-1.0#Base64Binary"
	nonceBytes    = 16
	createdLayout = "2006-01-02T15:04:05Z"
)

// security is a WS-Security header with a UsernameToken, made anew, with its own
// nonce, each time it is sent.
type security struct {
	user     string // escaped
	text     string // the password, escaped
	password string
	digest   bool
	random   io.Reader
}

// security compiles the user and password; nil without a user.
func (c soapCompiler) security(def SOAP) *security {
	if def.User == "" {
		return nil
	}
	s := &security{password: def.Password, digest: def.Digest, random: rand.Reader}
	s.user = c.xmlText("auth.wsse.user")(def.User)
	if !def.Digest {
		s.text = c.xmlText("auth.wsse.password")(def.Password)
	}
	return s
}

// append writes the header block and notes what of it must not be shown.
func (s *security) append(dst []byte, r *run) []byte {
	nonce := make([]byte, nonceBytes)
	_, _ = io.ReadFull(s.random, nonce) // the system's randomness does not fail
	created := r.now.UTC().Format(createdLayout)
	kind, secret := passwordText, s.text
	if s.digest {
		kind, secret = passwordHash, s.hash(nonce, created)
	}
	r.more().mask = append(r.more().mask, secret)
	return fmt.Appendf(dst, `<wsse:Security xmlns:wsse="%s" xmlns:wsu="%s"><wsse:UsernameToken>`+
		`<wsse:Username>%s</wsse:Username><wsse:Password Type="%s">%s</wsse:Password>`+
		`<wsse:Nonce EncodingType="%s">%s</wsse:Nonce><wsu:Created>%s</wsu:Created>`+
		`</wsse:UsernameToken></wsse:Security>`,
		wsse, wsu, s.user, kind, secret, base64Binary, base64.StdEncoding.EncodeToString(nonce), created)
}

// hash is the password digest: nonce, time and password under SHA-1, as the
// profile prescribes.
func (s *security) hash(nonce []byte, created string) string {
	sum := sha1.Sum(slices.Concat(nonce, []byte(created), []byte(s.password)))
	return base64.StdEncoding.EncodeToString(sum[:])
}
