package deliver

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"callrelay/relay/exchange"

	"golang.org/x/net/html/charset"
)

// fieldsOf are header fields, as names and values in turn.
func fieldsOf(pairs ...string) exchange.Headers {
	var h exchange.Headers
	for i := 0; i < len(pairs); i += 2 {
		h = append(h, exchange.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return h
}

func packedBy(t testing.TB, text string, w func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	z := w(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zipped(w io.Writer) io.WriteCloser   { return gzip.NewWriter(w) }
func deflated(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
func bare(w io.Writer) io.WriteCloser     { f, _ := flate.NewWriter(w, 9); return f }

// related is an answer of several parts.
func related(kind, headers, root string) string {
	return "--uuid:1\r\nContent-Type: " + kind + "\r\n" + headers + "\r\n" + root + "\r\n--uuid:1\r\nContent-Type: image/png\r\nContent-ID: <b@x>\r\n\r\n<no xml\r\n--uuid:1--\r\n"
}

func TestAnswersAreReadInWhateverFormTheyCome(t *testing.T) {
	ok, client := in(envelope11, "<ok>M\u00fcller</ok>"), fault11("soap:Client")
	const mtom = `multipart/related; type="application/xop+xml"; boundary="uuid:1"; start="<root@x>"; start-info="text/xml"`
	const xop = `application/xop+xml; charset=UTF-8; type="text/xml"`
	for _, test := range []struct {
		name   string
		header exchange.Headers
		body   string
		want   Outcome
	}{
		{"gzip", fieldsOf("Content-Encoding", "gzip"), packedBy(t, ok, zipped), Delivered},
		{"gzip, in capitals and under its old name", fieldsOf("content-encoding", "X-GZIP"), packedBy(t, client, zipped), Dead},
		{"deflate", fieldsOf("Content-Encoding", "deflate"), packedBy(t, client, deflated), Dead},
		{"deflate without its wrapper", fieldsOf("Content-Encoding", "deflate"), packedBy(t, client, bare), Dead},
		{"packed twice", fieldsOf("Content-Encoding", "deflate, gzip"), packedBy(t, packedBy(t, client, deflated), zipped), Dead},
		{"not packed", fieldsOf("Content-Encoding", "identity"), client, Dead},
		{"gzip that is cut off", fieldsOf("Content-Encoding", "gzip"), packedBy(t, client+strings.Repeat("<!-- x -->", 9), zipped)[:200], Dead},
		{"gzip that is none", fieldsOf("Content-Encoding", "gzip"), client, Dead},
		{"deflate that is none", fieldsOf("Content-Encoding", "deflate"), client, Dead},
		{"gzip that nothing names", nil, packedBy(t, client, zipped), Dead},
		{"gzip under another name", fieldsOf("Content-Encoding", "utf-8"), packedBy(t, client, zipped), Dead},
		{"packed twice, in two fields", fieldsOf("Content-Encoding", "deflate", "Content-Encoding", "gzip"), packedBy(t, packedBy(t, client, bare), zipped), Dead},
		{"a name that is no coding", fieldsOf("Content-Encoding", "none"), client, Dead},
		{"a coding that is not known", fieldsOf("Content-Encoding", "br"), "\x0b\x02\x80" + client[9:], Retry},
		{"MTOM", fieldsOf("Content-Type", mtom), related(xop, "Content-ID: <root@x>\r\n", ok), Delivered},
		{"a fault as MTOM", fieldsOf("Content-Type", mtom), related(xop, "Content-ID: <root@x>\r\n", client), Dead},
		{"a fault as the second part", fieldsOf("Content-Type", mtom), "--uuid:1\r\nContent-ID: <a@x>\r\n\r\n" + ok + "\r\n" + related(xop, "Content-ID: <root@x>\r\n", client), Dead},
		{"without a start", fieldsOf("Content-Type", `Multipart/Related; boundary="uuid:1"`), related("text/xml", "", client), Dead},
		{"a start that no part has", fieldsOf("Content-Type", `multipart/related; boundary="uuid:1"; start="<gone>"`), related("text/xml", "", client), Dead},
		{"a start without the quotes it needs", fieldsOf("Content-Type", `multipart/related; type=text/xml; start=<root@x>; boundary=uuid:1`), related("text/xml", "Content-Id: <root@x>\r\n", client), Dead},
		{"without a boundary", fieldsOf("Content-Type", `multipart/related`), "\r\n" + related("text/xml", "", client), Dead},
		{"parts packed together", fieldsOf("Content-Type", mtom, "Content-Encoding", "gzip"), packedBy(t, related(xop, "Content-ID: <root@x>\r\n", client), zipped), Dead},
		{"a part in base64", fieldsOf("Content-Type", mtom), related("text/xml", "Content-Transfer-Encoding: base64\r\n", base64.StdEncoding.EncodeToString([]byte(client))), Dead},
		{"a quoted-printable part", fieldsOf("Content-Type", mtom), related("text/xml", "Content-Transfer-Encoding: quoted-printable\r\n", strings.ReplaceAll(client, "=", "=3D")), Dead},
		{"a part in a charset of its own", fieldsOf("Content-Type", mtom), related("text/xml; charset=iso-8859-1", "", in(envelope11, "<ok>\xfc</ok>")), Delivered},
		{"parts cut off", fieldsOf("Content-Type", mtom), related(xop, "", client)[:350], Dead},
		{"parts that are none", fieldsOf("Content-Type", mtom), "nothing", Retry},
		{"a charset that nobody knows", fieldsOf("Content-Type", "text/xml; charset=ebcdic-us"), client, Dead},
		{"a charset that nobody knows, and no fault", fieldsOf("Content-Type", "text/xml; charset=ebcdic-us"), ok, Retry},
		{"a charset that is not read", fieldsOf("Content-Type", "text/xml; charset=ebcdic-us"), strings.ReplaceAll(client, "<", "\x4c"), Retry},
		{"a charset in other quotes", fieldsOf("Content-Type", "text/xml; charset='iso-8859-1'"), strings.Replace(client, "no such", "\xfc", 1), Dead},
		{"UTF-16 declared, and not so", fieldsOf("Content-Type", "text/xml; charset=utf-8"), `<?xml version="1.0" encoding="utf-16"?>` + client[39:], Dead},
		{"UTF-16 by content type, and not so", fieldsOf("Content-Type", "text/xml; charset=utf-16"), client, Dead},
		{"a mark against the content type", fieldsOf("Content-Type", "text/xml; charset=iso-8859-1"), "\ufeff" + client, Dead},
		{"bytes that are no UTF-8", nil, strings.Replace(client, "no such", "no\xff\xfe such", 1), Dead},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := defaults(t, true)
			j.strict = true
			if v := j.answer(exchange.Reply{Status: 200, Header: test.header, Body: []byte(test.body)}, time.Now()); v.outcome != test.want {
				t.Errorf("got %s %q, want %s", v.outcome, v.err, test.want)
			}
		})
	}
}

// Every charset of the WHATWG list is read, whether the content type or the
// declaration names it.
func TestAnswersAreReadInEveryCharset(t *testing.T) {
	j := defaults(t, true)
	for label, text := range map[string]string{
		"utf8": "\u4e2d", "us-ascii": "x", "latin1": "\u00fc", "ISO-8859-2": "\u0161", "iso-8859-5": "\u0438", "iso-8859-15": "5 \u20ac", "windows-1250": "\u0161",
		"windows-1251": "\u0438", "windows-1252": "\u20ac", "koi8-r": "\u0438", "GBK": "\u4e2d", "gb18030": "\u4e2d", "Big5": "\u4e2d", "Shift_JIS": "\u30c6", "EUC-JP": "\u30c6",
		"iso-2022-jp": "\u30c6", "euc-kr": "\ud55c", "macintosh": "\u00fc",
	} {
		enc, _ := charset.Lookup(label)
		for _, declared := range []bool{false, true} {
			header := fieldsOf("Content-Type", "text/xml; charset="+label)
			declaration := `<?xml version="1.0"?>`
			if declared {
				header, declaration = fieldsOf("Content-Type", "text/xml"), `<?xml version='1.0' encoding = '`+label+`'?>`
			}
			whole := declaration + strings.Replace(fault11("soap:Server")[39:], "no such agent", text, 1)
			body, err := enc.NewEncoder().String(whole)
			if err != nil {
				t.Fatalf("%s: %v", label, err)
			}
			v := j.answer(exchange.Reply{Status: 500, Header: header, Body: []byte(body)}, time.Now())
			if want := "fault soap:Server: " + text; !strings.HasPrefix(v.err, want) {
				t.Errorf("%s, declared %v: %q, want %q", label, declared, v.err, want)
			}
		}
	}
}

func TestUTF16IsReadWithAndWithoutAMark(t *testing.T) {
	j := defaults(t, true)
	for _, label := range []string{"utf-16le", "utf-16be"} {
		enc, _ := charset.Lookup(label)
		for _, mark := range []string{"", "\ufeff"} {
			for _, kind := range []string{"text/xml", "text/xml; charset=utf-16", "text/xml; charset=utf-8"} {
				body, err := enc.NewEncoder().String(mark + strings.Replace(fault11("soap:Client"), "utf-8", "utf-16", 1))
				if err != nil {
					t.Fatal(err)
				}
				if v := j.answer(exchange.Reply{Status: 200, Header: fieldsOf("Content-Type", kind), Body: []byte(body)}, time.Now()); v.outcome != Dead {
					t.Errorf("%s, mark %q, %s: %s %s", label, mark, kind, v.outcome, v.err)
				}
			}
		}
		j.successBody = regexp.MustCompile("^gr\u00fcn$")
		body, err := enc.NewEncoder().String("gr\u00fcn")
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]bool{body: true, "gr\u00fcn": true, "gr\u00fcn\x00": false} {
			if got := j.matches(exchange.Reply{Status: 200, Header: fieldsOf("Content-Type", "text/plain; charset="+label), Body: []byte(text)}); got != want {
				t.Errorf("%s of %q: matches = %v, want %v", label, text, got, want)
			}
		}
	}
}

// A small answer cannot become a large text.
func TestUnpackingIsBounded(t *testing.T) {
	bomb := packedBy(t, strings.Repeat("x", 1<<20), zipped)
	if text := unpack([]byte(bomb), "gzip", 1000); len(text) != 1000 {
		t.Errorf("unpacked %d bytes, want 1,000", len(text))
	}
}

func TestSuccessBody(t *testing.T) {
	j := defaults(t, false)
	j.successBody = regexp.MustCompile(`"ok": ?true|M\x{fc}ller`)
	for _, test := range []struct {
		name   string
		status int
		body   string
		header exchange.Headers
		want   Outcome
	}{
		{"a success", 200, `{"ok":true}`, nil, Delivered},
		{"a failure under 200", 200, `{"ok":false,"error":"ratelimited"}`, nil, Retry},
		{"nothing", 204, "", nil, Retry},
		{"a packed success", 200, packedBy(t, `{"ok": true}`, zipped), fieldsOf("Content-Encoding", "gzip"), Delivered},
		{"in its charset", 200, "M\xfcller", fieldsOf("Content-Type", "text/plain; charset=latin1"), Delivered},
		{"a refused payload", 400, `{"ok":true}`, nil, Dead},
	} {
		t.Run(test.name, func(t *testing.T) {
			if v := j.answer(exchange.Reply{Status: test.status, Header: test.header, Body: []byte(test.body)}, time.Now()); v.outcome != test.want {
				t.Errorf("got %s %q, want %s", v.outcome, v.err, test.want)
			}
		})
	}
}

func TestAnswersThatAreCutOff(t *testing.T) {
	cut := fmt.Errorf("read answer: %w", io.ErrUnexpectedEOF)
	for _, test := range []struct {
		name    string
		soap    bool
		strict  bool
		pattern string
		status  int
		body    string
		want    Outcome
	}{
		{"a success", false, false, "", 200, "ha", Delivered},
		{"a success without a byte of its body", false, false, "", 200, "", Delivered},
		{"a success whose body counts, seen", false, false, "ok", 200, "ok, an", Delivered},
		{"a success whose body counts, not seen", false, false, "ok", 200, "o", Retry},
		{"a refusal", false, false, "", 400, "no", Retry},
		{"an error", false, false, "", 503, "no", Retry},
		{"no status", false, false, "", 0, "", Retry},
		{"SOAP, nothing", true, false, "", 200, "", Delivered},
		{"SOAP, nothing, strict", true, true, "", 200, "", Retry},
		{"SOAP, accepted, strict", true, true, "", 202, "", Delivered},
		{"SOAP, a fault", true, false, "", 200, fault11("soap:Client")[:200], Dead},
		{"SOAP, half a success, strict", true, true, "", 200, in(envelope11, "<ok/>")[:145], Delivered},
		{"SOAP, half an envelope, strict", true, true, "", 200, in(envelope11, "<ok/>")[:100], Retry},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := defaults(t, test.soap)
			j.strict = test.strict
			if test.pattern != "" {
				j.successBody = regexp.MustCompile(test.pattern)
			}
			v := j.cutOff(exchange.Reply{Status: test.status, Header: fieldsOf("Retry-After", "3"), Body: []byte(test.body)}, cut, time.Now())
			if v.outcome != test.want || v.status != test.status {
				t.Errorf("got %s %d %q, want %s", v.outcome, v.status, v.err, test.want)
			}
			if v.retryAfter != 3*time.Second {
				t.Errorf("retry after %s", v.retryAfter)
			}
		})
	}
	if v := (judgement{}).cutOff(exchange.Reply{}, errors.New("x"), time.Now()); v.status != 0 || v.outcome != Retry {
		t.Errorf("no answer = %+v", v)
	}
}

// What asks to come again is told so.
func TestRetryAfterMakesAConflictWait(t *testing.T) {
	j := defaults(t, false)
	for _, status := range []int{http.StatusConflict, http.StatusRequestEntityTooLarge} {
		v := j.answer(exchange.Reply{Status: status, Header: fieldsOf("Retry-After", "7")}, time.Now())
		if v.outcome != Retry || v.retryAfter != 7*time.Second {
			t.Errorf("%d with Retry-After = %s after %s", status, v.outcome, v.retryAfter)
		}
	}
	if v := j.answer(exchange.Reply{Status: http.StatusUnprocessableEntity, Header: fieldsOf("Retry-After", "7")}, time.Now()); v.outcome != Dead {
		t.Errorf("422 with Retry-After = %s", v.outcome)
	}
}
