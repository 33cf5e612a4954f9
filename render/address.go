package render

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// address is the compiled URL. Scheme, user, host and port are fixed; each
// segment of the path is rendered by itself, so that no value can leave it.
type address struct {
	base     string // scheme and authority
	segments []segment
	query    sequence // as written in the URL
	fields   *form    // added to the query; nil: none
	fixed    string   // the whole, when it holds no tag
}

// segment is what stands between two slashes, the leading slash included.
type segment struct {
	sequence
	guarded bool // it holds a tag: it must not turn into . or ..
}

// address compiles the URL with all that goes into its query.
func (c *compiler) address(s Spec) *address {
	src := c.source("url", s.URL)
	a := &address{}
	tokens := lex(s.URL)
	if !src.checkURL(tokens) {
		return a
	}
	first := &tokens[0]
	end := authority(first.text)
	a.base, first.text = first.text[:end], first.text[end:]
	src.split(a, tokens)
	a.fields = c.query(s)
	if a.static() {
		dst, _ := a.append(nil, nil) // without a tag, nothing can fail
		a.fixed = string(dst)
	}
	return a
}

// checkURL reports what makes the URL unusable, whatever the values.
func (s source) checkURL(tokens []token) bool {
	var skeleton strings.Builder // the URL with something harmless for each tag
	for _, t := range tokens {
		switch {
		case !t.tag():
			skeleton.WriteString(t.text)
		case authority(skeleton.String()) == skeleton.Len():
			s.problemAt(t.offset, "%s: a tag cannot stand in the scheme, user, host or port", t.text)
			return false
		default:
			skeleton.WriteByte('x')
		}
	}
	u, err := url.Parse(skeleton.String())
	switch {
	case err != nil:
		s.problem(s.key, "not a URL%s", badEscape(err))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		s.problem(s.key, "not an http or https URL with a host")
	case strings.Contains(skeleton.String(), "#"):
		s.problem(s.key, "it has a fragment (# and what follows), which is never sent")
	default:
		return true
	}
	return false
}

// authority is the length of a URL's beginning up to the end of its authority:
// all of it where nothing ends it.
func authority(text string) int {
	scheme, rest, _ := strings.Cut(text, "://")
	if n := strings.IndexAny(rest, "/?#"); n >= 0 {
		return len(scheme) + len("://") + n
	}
	return len(text)
}

// badEscape names the percent escape that is none. Other reasons of a URL's
// being none may quote a password, and are left out.
func badEscape(err error) string {
	if bad, ok := errors.AsType[url.EscapeError](err); ok {
		return fmt.Sprintf(": %q is no percent escape", string(bad))
	}
	return ""
}

// split sorts the tokens behind the authority into the path's segments and the query.
func (s source) split(a *address, tokens []token) {
	inQuery := false
	for _, t := range tokens {
		text, query, found := strings.Cut(t.text, "?")
		switch {
		case t.tag() && inQuery:
			a.query = append(a.query, s.percent(t))
		case t.tag():
			last := &a.segments[len(a.segments)-1]
			last.sequence = append(last.sequence, s.percent(t))
			last.guarded = true
		case inQuery:
			a.query = a.query.literal(tidy(t.text))
		case found:
			inQuery = true
			a.query = a.query.literal("?" + tidy(query))
			fallthrough
		default:
			a.path(tidy(text))
		}
	}
}

// percent compiles a tag that stands behind the authority.
func (s source) percent(t token) piece {
	tag := s.tag(t, 0, site{})
	if tag.omits {
		s.problemAt(t.offset, "%s: %v", t.text, errOmit)
	}
	return piece{tag: tag, place: inPercent}
}

// path adds literal text to the path.
func (a *address) path(text string) {
	for i, part := range strings.Split(text, "/") {
		if i > 0 {
			a.segments = append(a.segments, segment{sequence: sequence{}.literal("/")})
		}
		if part != "" {
			last := &a.segments[len(a.segments)-1]
			last.sequence = last.literal(part)
		}
	}
}

// tidy percent-encodes what may not stand in a URL as it is.
func tidy(literal string) string {
	var b strings.Builder
	for i := range len(literal) {
		c := literal[i]
		if unreserved(c) || strings.IndexByte("%:/?@!$&'()*+,;=", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (a *address) static() bool {
	for _, s := range a.segments {
		if s.guarded {
			return false
		}
	}
	return a.query.static() && (a.fields == nil || a.fields.static())
}

// render gives the URL for one event.
func (a *address) render(r *run) (string, error) {
	if a.fixed != "" {
		return a.fixed, nil
	}
	dst, err := a.append(make([]byte, 0, 256), r)
	return string(dst), err
}

func (a *address) append(dst []byte, r *run) ([]byte, error) {
	dst = append(dst, a.base...)
	var err error
	for i := range a.segments {
		start := len(dst)
		if dst, err = a.segments[i].append(dst, r); err != nil {
			return dst, err
		}
		if a.segments[i].guarded && dots(dst[start:]) {
			return dst, &Error{Key: "url", Text: fmt.Sprintf("the path segment became %q, which leads elsewhere", string(dst[start+1:]))}
		}
	}
	query := len(dst)
	if dst, err = a.query.append(dst, r); err != nil || a.fields == nil {
		return dst, err
	}
	return a.fields.appendQuery(dst, query, r)
}

// dots reports whether a path segment, given with its slash, means this folder or
// the one above to whoever resolves the URL.
func dots(segment []byte) bool {
	if len(segment) > len("/%2e%2e") {
		return false
	}
	plain := strings.ReplaceAll(strings.ToLower(string(segment)), "%2e", ".")
	return plain == "/." || plain == "/.."
}
