package exchange

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// target is how the requests to a URL begin, and where they go.
type target struct {
	url     *url.URL
	address string // to connect to
	key     string // the same for targets that can share a connection
	host    string // of the Host field
	path    string // with the query
	once    bool   // its connection ends after the answer
}

func newTarget(u *url.URL, once bool) *target {
	host := u.Host
	if open := strings.LastIndexByte(host, '%'); open >= 0 { // the zone of an IPv6 address means nothing there
		if end := strings.IndexByte(host[open:], ']'); end >= 0 {
			host = host[:open] + host[open+end:]
		}
	}
	address := addressOf(u)
	return &target{url: u, address: address, key: u.Scheme + " " + address, host: host, path: u.RequestURI(), once: once}
}

// appendHead writes all of a request but its body.
func appendHead(b []byte, a *Attempt, t *target) []byte {
	b = append(append(b, a.Method...), ' ')
	b = append(append(b, t.path...), " HTTP/1.1\r\n"...)
	host := t.host
	if a.Host != "" {
		host = a.Host
	}
	b = appendField(b, "Host", host)
	for _, f := range a.Header {
		if !framing(f.Name) {
			b = appendField(b, f.Name, f.Value)
		}
	}
	if t.once {
		b = appendField(b, "Connection", "close")
	}
	length := a.Length()
	if length > 0 || a.Method == http.MethodPost || a.Method == http.MethodPut || a.Method == http.MethodPatch {
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, length, 10), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// framing reports whether a field says where a request ends: no service may.
func framing(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

// appendField writes one field. Rendering refuses values with line breaks; a
// second look here keeps a request one request whatever comes.
func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	from := len(b)
	b = append(b, value...)
	for i := from; i < len(b); i++ {
		if c := b[i]; c == '\r' || c == '\n' || c == 0 {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// readPlain reads the usual answer from the bytes that came: HTTP/1.1, of a
// known length, complete, and nothing behind it. It is not ok for anything else,
// faults included, which net/http reads then.
func readPlain(in []byte, method string, limit int64) (reply Reply, ok bool) {
	const version = "HTTP/1.1 "
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < len(version)+3 || string(in[:len(version)]) != version || method == http.MethodHead {
		return Reply{}, false
	}
	head, body := string(in[len(version):end+2]), in[end+4:]
	status, rest, _ := strings.Cut(head, "\r\n")
	if reply.Status, ok = plainStatus(status); !ok {
		return Reply{}, false
	}
	if reply.Header, ok = plainFields(rest); !ok {
		return Reply{}, false
	}
	length, ok := plainLength(reply)
	if !ok || length != int64(len(body)) || length > limit {
		return Reply{}, false
	}
	if length > 0 {
		reply.Body = bytes.Clone(body)
	}
	return reply, true
}

// plainStatus reads the status of a final answer.
func plainStatus(line string) (int, bool) {
	digits, _, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(digits)
	return n, err == nil && len(digits) == 3 && n >= http.StatusOK && n < 600 && !strings.ContainsAny(line, "\r\n")
}

// plainFields reads lines that all have a name and a value.
func plainFields(lines string) (Headers, bool) {
	h := make(Headers, 0, strings.Count(lines, "\n"))
	for lines != "" {
		line, rest, _ := strings.Cut(lines, "\r\n")
		name, value, found := strings.Cut(line, ":")
		if !found || !httpguts.ValidHeaderFieldName(name) || strings.ContainsAny(value, "\r\n\x00") {
			return nil, false
		}
		h = append(h, Field{name, strings.Trim(value, " \t")})
		lines = rest
	}
	return h, true
}

// plainLength is how long the body is. It is not ok where more than a
// Content-Length decides on it, or on the connection.
func plainLength(r Reply) (length int64, ok bool) {
	length = -1
	for _, f := range r.Header {
		switch {
		case strings.EqualFold(f.Name, "Transfer-Encoding"):
			return 0, false
		case strings.EqualFold(f.Name, "Connection") && !strings.EqualFold(f.Value, "keep-alive"):
			return 0, false
		case strings.EqualFold(f.Name, "Content-Length"):
			n, err := strconv.ParseUint(f.Value, 10, 62)
			if err != nil || length >= 0 {
				return 0, false
			}
			length = int64(n)
		}
	}
	if r.Status == http.StatusNoContent || r.Status == http.StatusNotModified {
		return 0, length < 0
	}
	return length, length >= 0
}
