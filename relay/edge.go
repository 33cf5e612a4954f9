package main

import (
	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/web"
)

// hubOf is the hub that a configuration names; nil: it names none.
func hubOf(c *config.Queue) *queue.HubOptions {
	if c.Hub == nil {
		return nil
	}
	o := &queue.HubOptions{URLs: c.Hub.URLs, Credentials: c.Hub.Credentials.Value(), Name: c.EdgeName(), Version: buildVersion()}
	if c.Hub.TLS != nil {
		o.TLS = c.Hub.TLS.Client
	}
	return o
}

// watchHub shows the link to the hub, if there is to be one, among the metrics.
func (p *process) watchHub() error {
	if _, ok := p.queue.HubState(); !ok {
		return nil
	}
	return web.CollectHub(p.registry, func() bool {
		s, _ := p.queue.HubState()
		return s.Linked
	})
}

func (p *process) hubState() *web.Hub {
	s, ok := p.queue.HubState()
	if !ok {
		return nil
	}
	return &web.Hub{Edge: s.Edge, ID: s.ID, Linked: s.Linked, Since: s.Since, Why: s.Why}
}
