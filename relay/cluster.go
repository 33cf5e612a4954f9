package main

import (
	"errors"

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
		o.TLS = c.TLS.Client
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
