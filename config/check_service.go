package config

import (
	"mime"
	"regexp"
	"strings"
)

// serviceChecks judge what services say.
type serviceChecks struct {
	*Config
	rules
}

func (c serviceChecks) all() {
	c.checkDefaults()
	c.checkServices()
}

// checkDefaults judges [defaults] by itself.
func (c serviceChecks) checkDefaults() {
	f, at := c.rules, c.place(Ref{Table: "defaults"})
	for _, key := range append([]string{"name", "url", "soap.params", "soap.body"}, BodyKinds()...) {
		if f.given(at, key) {
			f.report(at, key, "%s cannot have a default", key)
		}
	}
	c.checkSettings(at, &c.Defaults)
}

func (c serviceChecks) checkServices() {
	f, lines := c.rules, map[string]int{}
	for i := range c.Services {
		s, at := &c.Services[i], c.servicePlace(i)
		f.named(at, "name", s.Name)
		_, line := f.find(at, "name")
		if first := lines[s.Name]; first > 0 && s.Name != "" {
			f.report(at, "name", "name %q is taken (line %d)", s.Name, first)
		} else {
			lines[s.Name] = line
		}
		f.url(at, s.URL)
		c.checkSettings(at, s)
		c.checkBody(at, s)
	}
}

// checkSettings judges what a service may have from [defaults], each key by
// itself.
func (c serviceChecks) checkSettings(at place, s *Service) {
	f := c.rules
	f.oneOf(at, "type", s.Type, "http", "soap")
	f.oneOf(at, "method", s.Method, "GET", "POST", "PUT", "PATCH", "DELETE")
	f.oneOf(at, "missing", s.Missing, "empty", "reject")
	f.oneOf(at, "order", s.Order, "none", "call")
	if s.RecordingAccess != "" {
		f.oneOf(at, "recording_access", s.RecordingAccess, Accesses()...)
	}
	between(f, at, "concurrency", s.Concurrency, 1, 1024)
	f.size(at, "max_response", s.MaxResponse, 1, 64<<20)
	if s.MaxRate != 0 {
		f.size(at, "max_rate", s.MaxRate, 1<<10, 1<<40)
	}
	f.positive(at, "timeout", s.Timeout)
	f.positive(at, "max_age", s.MaxAge)
	if len(s.Success.ranges) == 0 {
		f.report(at, "success", "success is empty (nothing would ever be delivered)")
	}
	if _, err := regexp.Compile(s.SuccessBody); err != nil {
		f.report(at, "success_body", "success_body is no RE2 pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if len(s.RetrySchedule) == 0 {
		f.report(at, "retry_schedule", "retry_schedule is empty")
	}
	for i, delay := range s.RetrySchedule {
		if delay <= 0 {
			f.report(at, element("retry_schedule", i), "retry_schedule %q is not more than 0", delay)
		}
	}
	if _, _, err := mime.ParseMediaType(s.ContentType); s.ContentType != "" && err != nil {
		f.report(at, "content_type", "content_type %q is not a media type", s.ContentType)
	}
	c.checkHeaders(at, s)
	c.checkHMAC(at, s)
	c.checkBreaker(at.in("breaker"), s.Breaker)
	f.tls(at, "tls", s.TLS)
	c.checkAuth(at.in("auth"), s)
}

func (c serviceChecks) checkBreaker(at place, b Breaker) {
	f := c.rules
	between(f, at, "failures", b.Failures, 1, 10_000)
	between(f, at, "minimum", b.Minimum, 1, 1_000_000)
	if b.Ratio <= 0 || b.Ratio > 1 {
		f.report(at, "ratio", "ratio %v is not allowed (more than 0, at most 1)", b.Ratio)
	}
	f.positive(at, "window", b.Window)
	f.positive(at, "open", b.Open)
	f.positive(at, "max_open", b.MaxOpen)
	if b.MaxOpen < b.Open {
		key, other := "max_open", "open"
		if !f.given(at, key) {
			key, other = other, key
		}
		f.report(at, key, "%s does not fit %s (open is %v, max_open %v)", key, other, b.Open, b.MaxOpen)
	}
}

// scheme is the part of a URL in which no tag may stand.
var scheme = regexp.MustCompile(`^([^/?#]*)://([^/?]*)`)

// url reports what cannot be the URL of a service. Tags in path and query are
// not judged here, and the query is not quoted, since it may hold a key.
func (f rules) url(at place, text string) {
	if !f.present(at, "url", text) {
		return
	}
	m := scheme.FindStringSubmatch(text)
	switch {
	case m == nil && strings.Contains(strings.SplitN(text, "/", 2)[0], "#"):
		f.report(at, "url", "url %q has a tag in its scheme (tags may stand in path and query)", withoutQuery(text))
	case m == nil:
		f.report(at, "url", "url %q is not an absolute URL (allowed: http://, https://)", withoutQuery(text))
	case strings.Contains(m[2], "@"):
		f.report(at, "url", "url holds a user or a password (use auth.basic)")
	case strings.Contains(m[2], "#"):
		f.report(at, "url", "url %q has a tag in its host or port (tags may stand in path and query)", withoutQuery(text))
	default:
		f.link(at, "url", m[0], "http", "https")
	}
}
