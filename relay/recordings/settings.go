package recordings

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"callrelay/config"
	"callrelay/relay/recordings/link"
)

// settings are the part of the configuration that a reload replaces, ready
// for use. They are never changed.
type settings struct {
	base    string // what links start with, without a slash at the end
	prefix  string // its path
	access  string
	expires time.Duration
	keys    []link.Key
	users   *users
	raw     *config.Raw
	served  bool // by the relay itself

	wait             time.Duration
	agentPerspective bool

	anonymous bool           // a link may open by its name
	proxies   []netip.Prefix // whose word counts for where a request came from
}

// newSettings compiles c. Keys and users without a secret, which belong to a
// mode that is off, open nothing.
func newSettings(c *config.Recordings) (*settings, error) {
	base := strings.TrimRight(c.URL, "/")
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("url: not a URL")
	}
	s := &settings{
		base: base, prefix: u.EscapedPath(), access: c.Access, expires: c.Expires,
		raw: c.Raw, served: c.Listen != "", wait: c.Wait, agentPerspective: c.AgentPerspective,
		anonymous: c.Anonymous || c.Access == AccessAnonymous, proxies: c.TrustedProxies,
	}
	for _, k := range c.Keys {
		if secret := k.Secret.Value(); secret != "" {
			s.keys = append(s.keys, link.Key{ID: k.ID, Secret: []byte(secret)})
		}
	}
	if s.users, err = newUsers(c.Users); err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return s, nil
}
