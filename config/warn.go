package config

import (
	"net/url"
	"os/user"
	"slices"
	"strconv"
)

// Warnings returns what is legal in the file and yet hardly meant, in file
// order.
func (c *Config) Warnings() []Problem {
	if c.file == nil {
		return nil
	}
	return slices.Clone(c.file.warnings.all)
}

// warnings warn of what is legal.
type warnings struct{ *Config }

func (c warnings) all() {
	c.warnIdle()
	c.warnExposed()
	c.warnHub()
	c.warnBreakers()
}

// warnUsers warns of users and groups that this machine does not have.
func (c warnings) warnUsers() {
	f, at := c.file, c.place(Ref{Table: "intake"})
	for i, name := range c.Intake.AllowUsers {
		if _, err := user.Lookup(name); err != nil && !number(name) {
			f.warn(at, element("allow_users", i), "allow_users %q is no user of this machine", name)
		}
	}
	if name := c.Intake.SocketGroup; name != "" {
		if _, err := user.LookupGroup(name); err != nil && !number(name) {
			f.warn(at, "socket_group", "socket_group %q is no group of this machine", name)
		}
	}
}

func number(text string) bool {
	_, err := strconv.ParseUint(text, 10, 32)
	return err == nil
}

// warnIdle warns of keys that do nothing as the rest of the file stands.
func (c warnings) warnIdle() {
	f, q := c.file, c.place(Ref{Table: "queue"})
	for _, key := range []string{"credentials", "tls", "replicas"} {
		if len(c.Queue.Servers) == 0 && f.given(q, key) {
			f.warn(q, key, "%s has no effect without servers", key)
		}
	}
	if c.Queue.Site != "" && len(c.Queue.Servers) == 0 && c.Queue.Hub == nil {
		f.warn(q, "site", "site has no effect without servers or [queue.hub]")
	}
	mapped := false
	for i, s := range c.Services {
		at := c.servicePlace(i)
		if mapped = mapped || s.Mappings; s.Mappings && len(c.Mappings) == 0 {
			f.warn(at, "mappings", "mappings has no effect without a [[mapping]]")
		}
		if s.RecordingAccess != "" && c.Recordings == nil {
			f.warn(at, "recording_access", "recording_access has no effect without [recordings]")
		}
	}
	if !mapped && len(c.Mappings) > 0 {
		f.warn(c.place(Ref{"mapping", 0}), "", "no service has mappings = true")
	}
	c.warnRecordings()
}

func (c warnings) warnRecordings() {
	f, at, r := c.file, c.place(Ref{Table: "recordings"}), c.Recordings
	if r == nil {
		return
	}
	if len(r.Users) > 0 && !c.access("basic") {
		f.warn(at, "users", `users has no effect: no access is "basic"`)
	}
	if r.AgentPerspective && r.Raw != nil && r.Raw.Channels != 2 {
		f.warn(at.in("raw"), "channels", "channels is %d, and an agent-perspective recording has 2", r.Raw.Channels)
	}
}

// warnExposed warns of what is shown to those who should not see it.
func (c warnings) warnExposed() {
	f, admin := c.file, c.place(Ref{Table: "admin"})
	if c.Admin.Listen != "" && !loopback(c.Admin.Listen) && !c.Admin.Token.Set() {
		f.warn(admin, "listen", "listen %q is open to others and there is no token (they see counts and states)", c.Admin.Listen)
	}
	if c.Recordings != nil && c.access("basic") && unencrypted(c.Recordings.URL) {
		f.warn(c.place(Ref{Table: "recordings"}), "url", "url is not https, and passwords pass over it")
	}
	for i := range c.Services {
		s, at := &c.Services[i], c.servicePlace(i)
		digested := s.Auth.WSSE != nil && s.Auth.WSSE.Digest
		if kinds := s.Auth.kinds(); len(kinds) > 0 && unencrypted(s.URL) && !digested {
			f.warn(at, "url", "url is not https, and auth.%s passes over it", kinds[0])
		}
		if s.TLS != nil && s.TLS.InsecureSkipVerify {
			f.warn(at.in("tls"), "insecure_skip_verify", "insecure_skip_verify lets anybody answer in the place of the endpoint")
		}
	}
}

// unencrypted reports whether a URL leads over a network without encryption.
func unencrypted(text string) bool {
	u, err := url.Parse(scheme.FindString(text))
	if err != nil || u.Scheme != "http" {
		return false
	}
	return !loopbackHost(u.Hostname())
}

// overNetwork reports whether a NATS URL leads over a network without encryption.
func overNetwork(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "tls" || u.Scheme == "wss" {
		return false
	}
	return !loopbackHost(u.Hostname())
}

// warnBreakers warns of services that share a URL, and so a breaker, and yet set
// it differently: the first one's settings count.
func (c warnings) warnBreakers() {
	first := map[string]int{}
	for i := range c.Services {
		s := &c.Services[i]
		j, ok := first[s.URL]
		if !ok {
			first[s.URL] = i
			continue
		}
		if s.Breaker != c.Services[j].Breaker {
			c.file.warn(c.servicePlace(i), "breaker", "breaker differs from that of service %q, which has the same url and comes first", c.Services[j].Name)
		}
	}
}
