package config

const (
	minQueue = 64 << 10 // bytes
	maxQueue = 1 << 50
)

func (c checks) checkQueue() {
	f, at, q := c.rules, c.place(Ref{Table: "queue"}), &c.Queue
	f.present(at, "dir", q.Dir)
	f.size(at, "max_bytes", q.MaxBytes, minQueue, maxQueue)
	f.size(at, "dead_max_bytes", q.DeadMaxBytes, minQueue, maxQueue)
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

func (c checks) checkCluster(at place) {
	f, q := c.rules, &c.Queue
	for i, server := range q.Servers {
		f.link(at, element("servers", i), server, natsSchemes()...)
	}
	if q.Spool && len(q.Servers) == 0 {
		f.report(at, "spool", "spool needs servers (there is nothing to forward to)")
	}
}

func natsSchemes() []string { return []string{"nats", "tls", "ws", "wss"} }
