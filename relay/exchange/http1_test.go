package exchange

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// FuzzReadPlain holds that an answer which is read here means the same to
// net/http, to its last byte.
func FuzzReadPlain(f *testing.F) {
	for _, seed := range []string{
		plain,
		"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n",
		"HTTP/1.1 503 \r\nretry-after: 5\r\nConnection: Keep-Alive\r\ncontent-length:  0 \r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\r\n\r\nok",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 304 \r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 204 \r\n0:\x11\r\n\r\n",
		plain + plain,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		reply, ok := readPlain(in, http.MethodPost, 64<<10)
		if !ok {
			return
		}
		// The one difference that the manual lists: control characters in a value.
		for i, field := range reply.Header {
			reply.Header[i].Value = string(withoutControls([]byte(field.Value)))
		}
		end := bytes.Index(in, []byte("\r\n\r\n"))
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(withoutControls(in[:end])), bytes.NewReader(in[end:])))
		resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodPost})
		if err != nil {
			t.Fatalf("taken, and net/http refuses it: %v\n%q", err, in)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != reply.Status || !bytes.Equal(body, reply.Body) || resp.Close {
			t.Errorf("status %d, body %q; net/http reads %d, %q, %v, close %v\n%q",
				reply.Status, reply.Body, resp.StatusCode, body, err, resp.Close, in)
		}
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			t.Errorf("net/http leaves %q of\n%q", rest, in)
		}
		for name, values := range resp.Header {
			if got := reply.Header.Get(name); got != values[0] {
				t.Errorf("%s: %q; net/http reads %q", name, got, values[0])
			}
		}
	})
}

// withoutControls has a question mark for each control character that no line
// ends with.
func withoutControls(text []byte) []byte {
	text = bytes.Clone(text)
	for i, c := range text {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7f {
			text[i] = '?'
		}
	}
	return text
}

// FuzzAppendHead holds that whatever a service sends is one request, which has
// what it was given.
func FuzzAppendHead(f *testing.F) {
	f.Add("http://crm.example.com/calls?q=1", "X-Account", "77", "hello")
	f.Add("http://[fe80::1%25eth0]:8080/", "Content-Length", "3", "")
	f.Add("http://a", "Transfer-Encoding", "chunked", "abc")
	f.Add("http://a/%2F?", "X", "a\r\nY: 1\r\n\r\n", "abc")
	f.Fuzz(func(t *testing.T, link, name, value, body string) {
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "http" || u.Host == "" || u.Opaque != "" || !httpguts.ValidHeaderFieldName(name) || !isASCII(u.Host) {
			return
		}
		a := &Attempt{Method: "POST", URL: u, Header: Headers{{name, value}}, Body: []byte(body)}
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(appendHead(nil, a, newTarget(u, false))), strings.NewReader(body)))
		req, err := http.ReadRequest(r)
		if err != nil {
			if strings.EqualFold(name, "Host") || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
				return
			}
			t.Fatalf("no request: %v", err)
		}
		got, err := io.ReadAll(req.Body)
		if rest, _ := io.ReadAll(r); err != nil || string(got) != body || len(rest) > 0 {
			t.Errorf("body %q and %q behind it, %v; want %q", got, rest, err, body)
		}
		if req.URL.RequestURI() != u.RequestURI() {
			t.Errorf("asks for %q, want %q", req.URL.RequestURI(), u.RequestURI())
		}
	})
}

func TestHeadersKeepTheirOrder(t *testing.T) {
	h := Headers{{"B", "1"}, {"A", "2"}}
	h.Set("b", "3")
	h.Set("C", "4")
	if want := (Headers{{"b", "3"}, {"A", "2"}, {"C", "4"}}); !slices.Equal(h, want) {
		t.Errorf("headers are %v, want %v", h, want)
	}
	if got := headersOf(h.standard()); h.Get("a") != "2" || got.Get("C") != "4" {
		t.Errorf("by way of net/http they are %v", got)
	}
}
