package recordings

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"callrelay/config"
	"callrelay/relay/recordings/link"
)

// settings are the part of the configuration that a reload replaces, ready
// for use. They are never changed.
type settings struct {
	*config.Recordings
	base   string // what links start with, without a slash at the end
	prefix string // its path
	keys   []link.Key
	users  *users
}

// newSettings compiles c. Keys and users without a secret, which belong to a
// mode that is off, open nothing.
func newSettings(c *config.Recordings) (*settings, error) {
	base := strings.TrimRight(c.URL, "/")
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("url: not a URL")
	}
	s := &settings{Recordings: c, base: base, prefix: u.EscapedPath()}
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
