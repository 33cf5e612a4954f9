package deliver

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"callrelay/config"
	"callrelay/relay/exchange"
)

// masked stands for a secret wherever one would be shown.
const masked = "***"

// minSecret is the length from which a text is looked for as a secret; masking
// every "a" of a transcript would hide all but the secret.
const minSecret = 3

// mask takes the secrets of a service out of what is shown, however they are
// written there. Safe for concurrent use.
type mask struct {
	secrets []secret
	header  string // the configured one with a secret value
}

// secret is a text that is not to be shown.
type secret struct {
	text    string
	written *regexp.Regexp // all the ways to write it
}

func newMask(s *config.Service) *mask {
	m := &mask{}
	if s.Auth.Header != nil {
		m.header = s.Auth.Header.Name
	}
	texts := secretsOf(s)
	// The longest first, so that no part of one is left where another was.
	slices.SortFunc(texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, text := range slices.Compact(texts) {
		m.secrets = append(m.secrets, secret{text, spellings(text)})
	}
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
		add(password, strings.TrimPrefix(exchange.BasicAuth(a.Basic.User, password), "Basic "))
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
		add(password, strings.TrimPrefix(exchange.BasicAuth(u.User.Username(), password), "Basic "))
	}
	return list
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
	for _, hidden := range further {
		if !slices.ContainsFunc(m.secrets, func(s secret) bool { return s.text == hidden }) {
			text = spellings(hidden).ReplaceAllLiteralString(text, masked)
		}
	}
	for _, s := range m.secrets {
		text = s.written.ReplaceAllLiteralString(text, masked)
	}
	return wssePassword.ReplaceAllString(text, "${1}"+masked)
}

// headers returns a copy without secrets.
func (m *mask) headers(h exchange.Headers, further ...string) http.Header {
	shown := make(http.Header, len(h))
	for _, f := range h {
		value := f.Value
		if secretHeader.MatchString(f.Name) || strings.EqualFold(f.Name, m.header) {
			value = maskValue(value)
		}
		shown[f.Name] = append(shown[f.Name], m.text(value, further...))
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
func tokens(a *exchange.Attempt) []string {
	_, token, _ := strings.Cut(a.Header.Get("Authorization"), " ")
	if len(token) < minSecret {
		return nil
	}
	return []string{token}
}
