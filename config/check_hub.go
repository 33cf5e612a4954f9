package config

import (
	"cmp"
	"os"
	"strings"
)

// hubDomain is the JetStream domain of every hub.
const hubDomain = "hub"

// EdgeName is the name that the queue has at its hub, which is its JetStream
// domain there: that of [queue.hub], or the site, or the name of this machine.
// It is empty when none of them is a name.
func (q *Queue) EdgeName() string {
	return cmp.Or(q.Hub.Domain, q.Site, machineName())
}

// machineName is the name of this machine, with - for what a name may not hold.
func machineName() string {
	host, err := os.Hostname()
	if err != nil || host == "localhost" {
		return ""
	}
	name := strings.Map(func(r rune) rune {
		if plainName.MatchString(string(r)) {
			return r
		}
		return '-'
	}, host)
	return name[:min(len(name), 64)]
}

func (c checks) checkHub() {
	at, hub := place{item: "queue.hub", path: "queue.hub"}, c.Queue.Hub
	f := c.rules
	if len(c.Queue.Servers) > 0 {
		f.report(place{item: "queue", path: "queue"}, "servers", "servers cannot stand beside [queue.hub] (a hub links the embedded queue)")
	}
	if len(hub.URLs) == 0 {
		f.report(at, "urls", "urls is missing")
	}
	web := 0
	for i, text := range hub.URLs {
		if u := f.link(at, element("urls", i), text, append(natsSchemes(), "nats-leaf")...); u != nil && strings.HasPrefix(u.Scheme, "ws") {
			web++
		}
	}
	if web > 0 && web < len(hub.URLs) {
		f.report(at, "urls", "urls mixes ws:// and wss:// with others")
	}
	c.checkEdgeName(at)
	f.tls(at, "tls", hub.TLS)
}

func (c checks) checkEdgeName(at place) {
	f, q := c.rules, &c.Queue
	switch {
	case q.Hub.Domain != "":
		f.named(at, "domain", q.Hub.Domain)
	case q.EdgeName() == "":
		f.report(at, "domain", "domain is missing (it is the name of this edge at the hub; queue.site would do as well)")
	}
	if q.EdgeName() == hubDomain {
		f.report(at, "domain", "domain %q is that of the hub itself", hubDomain)
	}
}

// warnHub warns of a hub that others could play, or listen to.
func (c warnings) warnHub() {
	hub := c.Queue.Hub
	if hub == nil {
		return
	}
	f, at := c.file, place{item: "queue.hub", path: "queue.hub"}
	if !hub.Credentials.Set() && (hub.TLS == nil || hub.TLS.Cert == "") {
		f.warn(at, "credentials", "there are neither credentials nor a tls.cert (a hub that takes this edge takes anybody)")
	}
	for i, text := range hub.URLs {
		if hub.TLS == nil && overNetwork(text) {
			f.warn(at, element("urls", i), "urls %q is not tls, and events pass over it", text)
		}
	}
	if hub.TLS != nil && hub.TLS.InsecureSkipVerify {
		f.warn(at.in("tls"), "insecure_skip_verify", "insecure_skip_verify lets anybody answer in the place of the hub")
	}
}
