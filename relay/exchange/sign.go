package exchange

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"callrelay/config"
)

// Signer makes the Webhook-Signature of an attempt: one signature for each
// secret of the service, in order, so that a receiver may change its secret
// while both are valid. Safe for concurrent use.
type Signer [][]byte

// NewSigner reads the secrets. Its error names the one that cannot be used,
// by its place, and not its text.
func NewSigner(secrets []config.Secret) (Signer, error) {
	var s Signer
	for i, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Value(), "whsec_"))
		if err != nil {
			return nil, fmt.Errorf("signing secret %d: not base64", i+1)
		}
		s = append(s, key)
	}
	return s, nil
}

// Sign returns the signatures separated by spaces. Files of the body are read
// for it, once for all secrets. The error is a [*FileError].
func (s Signer) Sign(id string, at time.Time, a *Attempt) (string, error) {
	macs := make([]hash.Hash, len(s))
	all := make([]io.Writer, len(s))
	for i, key := range s {
		macs[i] = hmac.New(sha256.New, key)
		all[i] = macs[i]
	}
	w := io.MultiWriter(all...)
	_, _ = fmt.Fprintf(w, "%s.%d.", id, at.Unix()) // a hash takes all
	if err := a.CopyBody(w); err != nil {
		return "", err
	}
	signatures := make([]string, len(s))
	for i, mac := range macs {
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " "), nil
}

// WebhookID writes an event's id as a header value that every receiver keeps as
// it is: bytes outside [A-Za-z0-9_/-] become =XX. So different ids never become
// the same one.
func WebhookID(id string) string {
	if !strings.ContainsFunc(id, func(r rune) bool { return r > 0x7f || !idByte(byte(r)) }) {
		return id
	}
	var escaped strings.Builder
	for _, c := range []byte(id) {
		if idByte(c) {
			escaped.WriteByte(c)
		} else {
			fmt.Fprintf(&escaped, "=%02X", c)
		}
	}
	return escaped.String()
}

func idByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '/' || c == '-'
}
