package daemon

import (
	"callrelay/relay/web"
)

// watchHub shows the link to the hub, if there is to be one, among the metrics.
func (p builder) watchHub() error {
	if _, ok := p.queue.HubState(); !ok {
		return nil
	}
	return web.CollectHub(p.registry, func() bool {
		s, _ := p.queue.HubState()
		return s.Linked
	})
}

func (p *Daemon) hubState() *web.Hub {
	s, ok := p.queue.HubState()
	if !ok {
		return nil
	}
	return &web.Hub{Edge: s.Edge, ID: s.ID, Linked: s.Linked, Since: s.Since, Why: s.Why}
}
