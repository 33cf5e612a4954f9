package config

import "slices"

// Warnings returns what is legal in the file and yet hardly meant, in file
// order.
func (c *Config) Warnings() []Problem {
	if c.file == nil {
		return nil
	}
	return slices.Clone(c.file.warnings)
}

// warn notes the warnings.
func (c *Config) warn() {
	c.warnWithoutEffect()
	c.warnBreakers()
}

// warnBreakers warns of services that share a URL, and so a breaker, and yet set
// it differently: the first one's settings count.
func (c *Config) warnBreakers() {
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
