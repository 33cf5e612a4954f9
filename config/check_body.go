package config

import (
	"net/textproto"
	"regexp"
	"strings"
)

var (
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // the name of a header
	xmlName    = regexp.MustCompile(`^[\pL_][\pL\pN._-]*$`)          // the name of an XML element
)

// ownHeaders are the headers that a service cannot set, with who does.
var ownHeaders = map[string]string{
	"Connection":        "it belongs to the connection",
	"Content-Length":    "it follows from the body",
	"Content-Type":      "use content_type",
	"Host":              "it follows from the URL",
	"Keep-Alive":        "it belongs to the connection",
	"Proxy-Connection":  "it belongs to the connection",
	"Te":                "it belongs to the connection",
	"Trailer":           "it belongs to the connection",
	"Transfer-Encoding": "it belongs to the connection",
	"Upgrade":           "it belongs to the connection",
	"User-Agent":        "the relay names itself",
}

// ownHeader returns why a service cannot set a header, or "" when it can.
func ownHeader(name string) string {
	name = textproto.CanonicalMIMEHeaderKey(name)
	if strings.HasPrefix(name, "Webhook-") || strings.HasPrefix(name, "Relay-") {
		return "the relay sets it"
	}
	return ownHeaders[name]
}

func (c serviceChecks) checkHeaders(at place, s *Service) {
	f, in := c.rules, at.in("headers")
	taken := map[string]bool{}
	for _, h := range s.Headers {
		canonical := textproto.CanonicalMIMEHeaderKey(h.Name)
		why := ownHeader(h.Name)
		switch {
		case !headerName.MatchString(h.Name):
			f.report(in, h.Name, "%q is not the name of a header", h.Name)
		case why != "":
			f.report(in, h.Name, "%s cannot be set here (%s)", h.Name, why)
		case taken[canonical]:
			f.report(in, h.Name, "%s is given twice", h.Name)
		case canonical == "Authorization" && s.Auth.sets() == canonical:
			f.report(in, h.Name, "%s cannot stand beside auth, which sets it", h.Name)
		case canonical == "Soapaction" && s.Type == "soap":
			f.report(in, h.Name, "%s cannot be set here (use soap.action)", h.Name)
		case strings.ContainsAny(h.Value, "\r\n"): // a secret is judged where it is resolved
			f.report(in, h.Name, "%s has a line end", h.Name)
		}
		taken[canonical] = true
	}
}

// checkHMAC judges the names of the secrets of the filter hmac.
func (c serviceChecks) checkHMAC(at place, s *Service) {
	for _, secret := range s.HMACSecrets {
		c.rules.named(at.in("secrets"), secret.Name, secret.Name)
	}
}

// checkBody judges what a service sends, against its type and method.
func (c serviceChecks) checkBody(at place, s *Service) {
	f := c.rules
	f.charset(at, "xml", s.XML)
	if s.Body != "file" { // which is sent as it lies there
		f.charset(at, "content_type", s.ContentType)
	}
	if s.Type == "soap" {
		c.checkSOAP(at, s)
		return
	}
	if f.given(at, "soap") {
		f.report(at, "soap", `soap needs type = "soap"`)
	}
	if s.Auth.WSSE != nil {
		f.report(at.in("auth"), "wsse", `wsse needs type = "soap"`)
	}
	if s.Method == "GET" && s.Body != "" && s.Body != "params" {
		f.report(at, s.Body, "%s cannot go with method %q (allowed: POST, PUT, PATCH, DELETE)", s.Body, s.Method)
	}
}

func (c serviceChecks) checkSOAP(at place, s *Service) {
	f, in := c.rules, at.in("soap")
	if s.Body != "" {
		f.report(at, s.Body, `%s cannot go with type "soap" (use soap.params or soap.body)`, s.Body)
	}
	if s.Method != "POST" {
		f.report(at, "method", `method %q cannot go with type "soap" (allowed: POST)`, s.Method)
	}
	f.oneOf(in, "version", s.SOAP.Version, "1.1", "1.2")
	f.oneOf(in, "style", s.SOAP.Style, "document", "rpc")
	f.oneOf(in, "unreadable", s.SOAP.Unreadable, "delivered", "retry")
	if f.given(in, "body") {
		if f.given(in, "params") {
			f.report(in, "params", "params cannot stand beside body")
		}
		return
	}
	if f.present(in, "operation", s.SOAP.Operation) && !xmlName.MatchString(s.SOAP.Operation) {
		f.report(in, "operation", "operation %q is not the name of an XML element", s.SOAP.Operation)
	}
	for _, p := range s.SOAP.Params {
		if !xmlName.MatchString(p.Name) {
			f.report(in.in("params"), p.Name, "%q is not the name of an XML element", p.Name)
		}
	}
}

// encoding is the one that a content type or an XML declaration names.
var encoding = regexp.MustCompile(`(?i)^(?:[^;<]*;.*?\bcharset|\s*<\?xml\s[^>]*?\bencoding)\s*=\s*["']?([^"';\s?]+)`)

// charset reports one that the bytes would not have.
func (f rules) charset(at place, key, text string) {
	if m := encoding.FindStringSubmatch(text); m != nil && !strings.EqualFold(m[1], "utf-8") && !strings.EqualFold(m[1], "utf8") && !strings.Contains(m[1], "#") {
		f.report(at, key, "%s names the charset %q (all that is sent is UTF-8)", key, m[1])
	}
}
