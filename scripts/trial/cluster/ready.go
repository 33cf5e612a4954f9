package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"callrelay/queue"
)

// await returns when the nodes agree on a leader: when a queue opens in them.
func (c *cluster) await(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	o, err := c.options("await", "await")
	if err != nil {
		return err
	}
	q, err := queue.Open(ctx, o)
	if err != nil {
		return fmt.Errorf("cluster not ready: %w\n%s", err, c.logs())
	}
	return q.Close(ctx)
}

// options are those of a queue in the cluster, for a site.
func (c *cluster) options(dir, site string) (queue.Options, error) {
	o := queue.Options{Dir: c.path(dir), Servers: c.urls(), Site: site, MaxBytes: 1 << 30, DeadMaxBytes: 1 << 28}
	if !c.secure {
		return o, nil
	}
	pem, err := os.ReadFile(c.path("ca.pem"))
	if err != nil {
		return o, err
	}
	o.Credentials = "relay:" + c.password
	secure := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	secure.RootCAs.AppendCertsFromPEM(pem)
	o.TLS = func() (*tls.Config, error) { return secure, nil }
	return o, nil
}
