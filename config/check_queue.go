package config

const (
	minQueue = 16 << 20 // bytes that a queue needs to work at all
	minDead  = 1 << 20
)

func (c *Config) checkQueue() {
	f, at, q := c.file, c.place(Ref{Table: "queue"}), &c.Queue
	between(f, at, "max_bytes", q.MaxBytes, minQueue, 1<<50)
	between(f, at, "dead_max_bytes", q.DeadMaxBytes, minDead, 1<<50)
	f.positive(at, "keep", q.Keep)
	f.positive(at, "dead_keep", q.DeadKeep)
	f.positive(at, "attempts_keep", q.AttemptsKeep)
	f.positive(at, "dedup_window", q.DedupWindow)
	between(f, at, "replicas", q.Replicas, 1, 5)
	f.address(at, "listen", q.Listen)
	if q.Site != "" {
		f.named(at, "site", q.Site)
	}
	f.tls(at, "tls", q.TLS)
	c.checkCluster(at)
	if q.Hub != nil {
		c.checkHub()
	}
}

func (c *Config) checkCluster(at place) {
	f, q := c.file, &c.Queue
	for i, server := range q.Servers {
		f.link(at, element("servers", i), server, natsSchemes()...)
	}
	switch {
	case len(q.Servers) > 0:
		f.resolve(at, "credentials", q.Credentials, randomHex)
	case q.Spool:
		f.report(at, "spool", "spool needs servers (there is nothing to forward to)")
	}
}

func (c *Config) checkHub() {
	at, hub := place{item: "queue.hub", path: "queue.hub"}, c.Queue.Hub
	f := c.file
	if len(c.Queue.Servers) > 0 {
		f.report(place{item: "queue", path: "queue"}, "servers", "servers cannot stand beside [queue.hub] (a hub links the embedded queue)")
	}
	if len(hub.URLs) == 0 {
		f.report(at, "urls", "urls is missing")
	}
	for i, u := range hub.URLs {
		f.link(at, element("urls", i), u, natsSchemes()...)
	}
	if hub.Domain != "" {
		f.named(at, "domain", hub.Domain)
	}
	f.resolve(at, "credentials", hub.Credentials, randomHex)
	f.tls(at, "tls", hub.TLS)
}

func natsSchemes() []string { return []string{"nats", "tls", "ws", "wss"} }
