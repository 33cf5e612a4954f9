package deliver

import (
	"cmp"
	"net/http"
	"net/textproto"
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

// minPlain is that length for what is a secret by its name only: a shorter one
// may be a word.
const minPlain = 8

// mask takes the secrets of a service out of what is shown, however they are
// written there. Safe for concurrent use.
type mask struct {
	secrets []secret
	named   map[string]bool // canonical names of the headers with a secret value
}

func newMask(s *config.Service) *mask {
	m := &mask{named: map[string]bool{}}
	if s.Auth.Header != nil {
		m.named[textproto.CanonicalMIMEHeaderKey(s.Auth.Header.Name)] = true
	}
	for _, h := range s.Headers {
		if h.Secret.Set() {
			m.named[textproto.CanonicalMIMEHeaderKey(h.Name)] = true
		}
	}
	_, credentials := exchange.Credentials(s)
	_, token, _ := strings.Cut(credentials, " ")
	texts := append(plainSecrets(s), token)
	for _, text := range s.Secrets() {
		texts = append(texts, partsOf(text)...)
	}
	// The longest first, so that no part of one is left where another was.
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	for _, text := range slices.Compact(texts) {
		if len(text) < minSecret {
			continue
		}
		m.secrets = append(m.secrets, newSecret(text))
	}
	return m
}

// plainSecrets are values that stand in the file as they are, where the name of
// their header or parameter says that they are secrets.
func plainSecrets(s *config.Service) []string {
	var list []string
	for _, f := range slices.Concat(s.Headers, s.Query) {
		if secretName.MatchString(f.Name) {
			list = append(list, f.Value)
		}
	}
	for _, parameter := range queryKey.FindAllStringSubmatch(s.URL, -1) {
		value, _ := url.QueryUnescape(parameter[2])
		list = append(list, parameter[2], value)
	}
	return slices.DeleteFunc(list, func(v string) bool { return len(v) < minPlain || strings.Contains(v, "#") })
}

// partsOf returns a secret and what in it is one by itself: the key of a signing
// secret, the password of a URL. One that is long, such as a key in PEM form, is
// masked piece by piece.
func partsOf(text string) []string {
	const piece = 128                                                                 // bytes
	list := []string{text, strings.TrimPrefix(text, "whsec_"), url.QueryEscape(text)} // the last as basic credentials of OAuth hold it
	if len(text) > piece {
		list = nil
		for line := range strings.Lines(text) {
			for part := range slices.Chunk([]byte(strings.TrimSpace(line)), piece) {
				list = append(list, string(part))
			}
		}
	}
	if u, err := url.Parse(text); err == nil && u.User != nil {
		password, _ := u.User.Password()
		list = []string{text, password, strings.TrimPrefix(exchange.BasicAuth(u.User.Username(), password), "Basic ")}
	}
	return slices.DeleteFunc(list, func(text string) bool { return len(text) < minSecret })
}

var (
	// linkSignature is the part of a signed link that makes it open.
	linkSignature = regexp.MustCompile(`(sig(?:=|%3[Dd]))[A-Za-z0-9_-]{16,}`)

	// queryKey are parameters that hold secrets by their name.
	queryKey = regexp.MustCompile(`(?i)([?&;](?:amp;)?[\w.-]*(?:token|secret|password|passwd|pwd|(?:api|auth|access|subscription)[-_]?key|signature)=)([^&;\s"'<>]+)`)

	// wssePassword is a password or its digest in a WS-Security header.
	wssePassword = regexp.MustCompile(`(?s)(<(?:\w+:)?Password\b[^>]*>)[^<]*`)

	// secretName is a name of a header or parameter that holds a secret.
	secretName = regexp.MustCompile(`(?i)` + config.SecretNames)
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
			text = newSecret(hidden).mask(text)
		}
	}
	for _, s := range m.secrets {
		text = s.mask(text)
	}
	return wssePassword.ReplaceAllString(text, "${1}"+masked)
}

// headers returns a copy without secrets.
func (m *mask) headers(h exchange.Headers, further ...string) http.Header {
	shown := make(http.Header, len(h))
	for _, f := range h {
		value := f.Value
		if secretName.MatchString(f.Name) || m.named[textproto.CanonicalMIMEHeaderKey(f.Name)] {
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
