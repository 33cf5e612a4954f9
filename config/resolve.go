package config

// required resolves a secret that a feature cannot do without, and says whether
// it has a value. The feature is named when another key turns it on.
func (f *file) required(at place, key string, s Secret, feature string, random func() string) bool {
	if s.Set() {
		return f.resolve(at, key, s, random)
	}
	if feature != "" {
		feature = " (" + feature + " needs it)"
	}
	f.report(at, key, "%s is missing%s", key, feature)
	return false
}

// resolve resolves a secret where it is configured, and says whether it has a
// value.
func (f *file) resolve(at place, key string, s Secret, random func() string) bool {
	if err := s.resolve(random); err != nil {
		f.report(at, key, "%s: %v", key, err)
		return false
	}
	return s.Value() != ""
}

// checkSecrets resolves the secrets of a service and judges their form. Those of
// an inactive service may be missing: they are warned of.
func (c *Config) checkSecrets(at place, s *Service) {
	complain := c.file.report
	if !s.Active {
		complain = c.file.warn
	}
	check := func(at place, key string, secret Secret, random func() string, fault func(string) string) {
		if err := secret.resolve(random); err != nil {
			complain(at, key, "%s: %v", key, err)
			return
		}
		if text := fault(secret.Value()); secret.Set() && text != "" {
			complain(at, key, "%s %s", key, text)
		}
	}
	check(at, "proxy", s.Proxy, randomHex, proxyFault)
	for i, secret := range s.Signing {
		check(at, element("signing", i), secret, randomSigning, signingFault)
	}
	in := at.in("auth")
	check(in, "bearer", s.Auth.Bearer, randomHex, headerFault)
	if a := s.Auth.Basic; a != nil {
		check(in.in("basic"), "password", a.Password, randomHex, noFault)
	}
	if a := s.Auth.Header; a != nil {
		check(in.in("header"), "value", a.Value, randomHex, headerFault)
	}
	if a := s.Auth.OAuth2; a != nil {
		check(in.in("oauth2"), "client_secret", a.ClientSecret, randomHex, noFault)
	}
	if a := s.Auth.WSSE; a != nil {
		check(in.in("wsse"), "password", a.Password, randomHex, noFault)
	}
}

func noFault(string) string { return "" }
