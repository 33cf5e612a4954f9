package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"callrelay/config"
	"callrelay/queue"
)

// inCluster has a queue keep its records in the cluster that a configuration
// names, if it does.
func inCluster(o *queue.Options, c config.Queue) {
	if len(c.Servers) == 0 {
		return
	}
	o.Servers, o.Credentials, o.Replicas, o.Site = c.Servers, c.Credentials.Value(), c.Replicas, c.Site
	o.Spool = c.Spool
	if c.TLS != nil {
		o.TLS = func() (*tls.Config, error) { return natsTLS(c.TLS) }
	}
}

// mustBeHere refuses what a cluster does by itself.
func mustBeHere(c *config.Config) error {
	if len(c.Queue.Servers) == 0 {
		return nil
	}
	return hintError{
		errors.New("the queue is a NATS cluster, which has backups of its own"),
		"nats stream backup and nats stream restore, for each stream of the site",
	}
}

// natsTLS reads the files of the TLS settings of a cluster or a hub.
func natsTLS(t *config.TLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls ca: %s holds no certificate", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls client certificate %s: %w", t.Cert, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
