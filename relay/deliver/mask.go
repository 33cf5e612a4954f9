package deliver

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"callrelay/config"
)

// masked stands for a secret wherever one would be shown.
const masked = "***"

// minSecret is the length from which a text is looked for as a secret; masking
// every "a" of a transcript would hide all but the secret.
const minSecret = 3

// mask takes the secrets of a service out of what is shown, in each form they
// take on their way. Safe for concurrent use.
type mask struct {
	secrets []string
	header  string // the configured one with a secret value
	swap    *strings.Replacer
}

func newMask(s *config.Service) *mask {
	m := &mask{secrets: secretsOf(s)}
	if s.Auth.Header != nil {
		m.header = s.Auth.Header.Name
	}
	m.swap = swapper(m.secrets)
	return m
}

// secretsOf lists the secrets of a service as configured.
func secretsOf(s *config.Service) []string {
	var list []string
	add := func(secrets ...string) {
		for _, secret := range secrets {
			if len(secret) >= minSecret {
				list = append(list, secret)
			}
		}
	}
	a := s.Auth
	if a.Basic != nil {
		password := a.Basic.Password.Value()
		add(password, strings.TrimPrefix(basicAuth(a.Basic.User, password), "Basic "))
	}
	if a.Header != nil {
		add(a.Header.Value.Value())
	}
	if a.OAuth2 != nil {
		add(a.OAuth2.ClientSecret.Value())
	}
	if a.WSSE != nil {
		add(a.WSSE.Password.Value())
	}
	add(a.Bearer.Value())
	for _, secret := range s.Signing {
		add(secret.Value(), strings.TrimPrefix(secret.Value(), "whsec_"))
	}
	if u, err := url.Parse(s.Proxy.Value()); err == nil && u.User != nil {
		password, _ := u.User.Password()
		add(password, strings.TrimPrefix(basicAuth(u.User.Username(), password), "Basic "))
	}
	return list
}

// swapper replaces secrets in all the ways they are written.
func swapper(secrets []string) *strings.Replacer {
	var pairs []string
	seen := map[string]bool{}
	for _, secret := range secrets {
		for _, form := range spellings(secret) {
			if !seen[form] {
				seen[form] = true
				pairs = append(pairs, form, masked)
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// spellings are a text as it stands in plain text, JSON, XML, a form or query,
// and a path.
func spellings(text string) []string {
	quoted, _ := json.Marshal(text)
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text))
	return []string{
		text,
		strings.Trim(string(quoted), `"`),
		escaped.String(),
		url.QueryEscape(text),
		url.PathEscape(text),
	}
}

var (
	// linkSignature is the part of a signed link that makes it open.
	linkSignature = regexp.MustCompile(`(sig(?:=|%3[Dd]))[A-Za-z0-9_-]{16,}`)

	// queryKey are parameters that hold secrets by their name.
	queryKey = regexp.MustCompile(`(?i)([?&;](?:amp;)?[\w.-]*(?:token|secret|password|passwd|pwd|api_?-?key|signature)=)[^&;\s"'<>]+`)

	// wssePassword is a password or its digest in a WS-Security header.
	wssePassword = regexp.MustCompile(`(?s)(<(?:\w+:)?Password\b[^>]*>)[^<]*`)

	// secretHeader are headers that hold secrets by their name.
	secretHeader = regexp.MustCompile(`(?i)authoriz|authenticat|cookie|token|secret|password|api-?key|signature`)
)

// text returns a text without secrets: those of the service and the further
// ones given.
func (m *mask) text(text string, further ...string) string {
	text = m.credentials(text, further...)
	text = linkSignature.ReplaceAllString(text, "${1}"+masked)
	return queryKey.ReplaceAllString(text, "${1}"+masked)
}

// credentials returns a text without the credentials of the service, but with
// links that open.
func (m *mask) credentials(text string, further ...string) string {
	swap := m.swap
	if len(further) > 0 {
		swap = swapper(append(further, m.secrets...))
	}
	return wssePassword.ReplaceAllString(swap.Replace(text), "${1}"+masked)
}

// headers returns a copy without secrets.
func (m *mask) headers(h http.Header, further ...string) http.Header {
	shown := make(http.Header, len(h))
	for name, values := range h {
		for _, value := range values {
			if secretHeader.MatchString(name) || strings.EqualFold(name, m.header) {
				value = maskValue(value)
			}
			shown[name] = append(shown[name], m.text(value, further...))
		}
	}
	return shown
}

// maskValue keeps the scheme of credentials and the version of signatures,
// which say what was tried.
func maskValue(value string) string {
	if scheme, _, found := strings.Cut(value, " "); found && !strings.ContainsAny(scheme, ",=;") {
		return scheme + " " + masked
	}
	if version, _, found := strings.Cut(value, ","); found && version == "v1" {
		return version + "," + masked
	}
	return masked
}

// tokens returns the credentials that an attempt was given on its way.
func (a *Attempt) tokens() []string {
	_, token, _ := strings.Cut(a.Header.Get("Authorization"), " ")
	if len(token) < minSecret {
		return nil
	}
	return []string{token}
}
