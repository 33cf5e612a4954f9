package daemon

import (
	"callrelay/config"
	"callrelay/queue"
)

// QueueOptions are those that say where the queue lies and what it may hold.
func QueueOptions(c *config.Config) queue.Options {
	q := c.Queue
	o := queue.Options{
		Dir: q.Dir, MaxBytes: q.MaxBytes, DeadMaxBytes: q.DeadMaxBytes,
		Keep: q.Keep, DeadKeep: q.DeadKeep, AttemptsKeep: q.AttemptsKeep, DedupWindow: q.DedupWindow,
	}
	inCluster(&o, q)
	return o
}

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

// HubOf is the hub that a configuration names, for a relay of a version; nil: it
// names none.
func HubOf(c *config.Queue, version string) *queue.HubOptions {
	if c.Hub == nil {
		return nil
	}
	o := &queue.HubOptions{URLs: c.Hub.URLs, Credentials: c.Hub.Credentials.Value(), Name: c.EdgeName(), Version: version}
	if c.Hub.TLS != nil {
		o.TLS = c.Hub.TLS.Client
	}
	return o
}
