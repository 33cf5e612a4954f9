package asterisk

import (
	"crypto/tls"
	"net"

	"callrelay/config"
)

// newTLS reads the files of a source's TLS settings; nil stands for plain TCP.
// They are read at each connection, so that a new certificate needs no reload.
func newTLS(t *config.TLS, address string) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c, err := t.Client()
	if err != nil {
		return nil, err
	}
	if host, _, err := net.SplitHostPort(address); err == nil && c.ServerName == "" {
		c.ServerName = host
	}
	return c, nil
}
