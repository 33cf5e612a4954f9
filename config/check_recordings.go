package config

import (
	"slices"
	"strings"
)

// Accesses returns the ways a recording may be opened.
func Accesses() []string { return []string{"signed", "basic", "anonymous"} }

func (c checks) checkRecordings() {
	f, at, r := c.rules, c.place(Ref{Table: "recordings"}), c.Recordings
	f.present(at, "dir", r.Dir)
	if u := f.link(at, "url", r.URL, "http", "https"); u != nil && strings.ContainsAny(r.URL, "?#") {
		f.report(at, "url", "url %q has a query or a fragment (links add their own)", withoutQuery(r.URL))
	}
	f.address(at, "listen", r.Listen)
	f.oneOf(at, "access", r.Access, Accesses()...)
	f.positive(at, "expires", r.Expires)
	if r.Raw != nil {
		between(f, at.in("raw"), "rate", r.Raw.Rate, 1000, 384_000)
		between(f, at.in("raw"), "channels", r.Raw.Channels, 1, 16)
	}
	f.tls(at, "tls", r.TLS)
	if r.TLS != nil {
		f.present(at.in("tls"), "cert", r.TLS.Cert)
	}
	c.checkKeys(at)
	c.checkUsers(at)
}

// checkKeys judges the keys, which are needed where a link is signed or
// anonymous.
func (c checks) checkKeys(at place) {
	f, ids := c.rules, map[string]bool{}
	used := c.access("signed") || c.access("anonymous")
	if used && len(c.Recordings.Keys) == 0 {
		f.report(at, "keys", "keys is empty (signed and anonymous links need a key)")
	}
	for i, key := range c.Recordings.Keys {
		in := at.in(element("keys", i))
		f.named(in, "id", key.ID)
		if ids[key.ID] {
			f.report(in, "id", "id %q is given twice", key.ID)
		}
		ids[key.ID] = true
		if used {
			f.required(in, "secret", key.Secret, "")
		}
	}
}

// checkUsers judges the users, who are needed where a link asks for a password.
func (c checks) checkUsers(at place) {
	f, names := c.rules, map[string]bool{}
	used := c.access("basic")
	if used && len(c.Recordings.Users) == 0 {
		f.report(at, "users", `users is empty (access "basic" needs one)`)
	}
	for i, user := range c.Recordings.Users {
		in := at.in(element("users", i))
		if f.present(in, "name", user.Name) && strings.ContainsAny(user.Name, ":\r\n") {
			f.report(in, "name", "name %q has a colon, which basic authentication cannot carry", user.Name)
		}
		if names[user.Name] {
			f.report(in, "name", "name %q is given twice", user.Name)
		}
		names[user.Name] = true
		if used {
			f.required(in, "password", user.Password, "")
		}
	}
}

// closeUnused drops the users where no link asks for a password: a signed link
// that has lost its signature must not be open to them. It notes whether links
// open by their name.
func (c *Config) closeUnused() {
	if c.Recordings != nil {
		c.Recordings.Anonymous = c.access("anonymous")
	}
	if c.Recordings != nil && !c.access("basic") {
		c.Recordings.Users = nil
	}
}

// access reports whether a link may be made that opens in this way.
func (c *Config) access(mode string) bool {
	return c.Recordings.Access == mode || slices.ContainsFunc(c.Services, func(s Service) bool {
		return s.RecordingAccess == mode
	})
}
