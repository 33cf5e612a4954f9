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
	"mime"
	"mime/multipart"
	"net/textproto"
	"regexp"
	"strings"

	"callrelay/relay/exchange"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// maxCodings is how often one answer may have been packed.
const maxCodings = 4

// content is an answer's body as text in UTF-8: unpacked, the root of several
// parts, and read in its charset. It is bounded by limit at each step, and ends
// early where the body is cut off. The error says that the charset is not known;
// the text is then what ASCII there is.
func content(r exchange.Reply, limit int64) ([]byte, error) {
	body := unpack(r.Body, r.Header.Get("Content-Encoding"), limit)
	kind := r.Header.Get("Content-Type")
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "multipart/") {
		body, kind = rootPart(body, kind)
	}
	return decode(body, kind)
}

// unpack undoes the codings of a body. Servers pack even what nobody asked them
// to, and name the codings wrongly or not at all: so its first bytes count, and
// the name only of the one that has no mark, a deflate without its wrapper.
func unpack(body []byte, codings string, limit int64) []byte {
	deflated := strings.Contains(strings.ToLower(codings), "deflate")
	for range maxCodings {
		var r io.Reader
		var err error
		if r, err = gzip.NewReader(bytes.NewReader(body)); err != nil {
			r, err = zlib.NewReader(bytes.NewReader(body))
		}
		if err != nil && deflated {
			r, err = flate.NewReader(bytes.NewReader(body)), nil
		}
		if err != nil {
			break
		}
		plain, err := io.ReadAll(io.LimitReader(r, limit))
		if errors.As(err, new(flate.CorruptInputError)) || len(plain) == 0 {
			break // it was no such thing
		}
		body = plain
	}
	return body
}

// start is the parameter that names the root part, which many servers write
// without the quotes it needs.
var start = regexp.MustCompile(`(?i)\bstart\s*=\s*"?<?([^">;\s]+)`)

// rootPart returns the part that a body of several is about, and its type: the
// one named as the start, else the first. What is left out or misspelt in the
// type is taken from the body.
func rootPart(body []byte, kind string) ([]byte, string) {
	_, params, _ := mime.ParseMediaType(kind)
	boundary := params["boundary"]
	if first, _, found := bytes.Cut(bytes.TrimLeft(body, " \t\r\n"), []byte("\n")); found && boundary == "" {
		boundary = strings.TrimPrefix(strings.TrimSpace(string(first)), "--")
	}
	root, rootKind, id := body, kind, start.FindStringSubmatch(kind)
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; boundary != ""; n++ {
		part, err := parts.NextPart()
		if err != nil {
			break
		}
		named := id != nil && strings.Trim(part.Header.Get("Content-Id"), "<> ") == id[1]
		if n > 0 && !named {
			continue
		}
		root, rootKind = readPart(part), part.Header.Get("Content-Type")
		if named || id == nil {
			break
		}
	}
	return root, rootKind
}

// readPart reads a part as far as there is one.
func readPart(part *multipart.Part) []byte {
	var r io.Reader = part // quoted-printable is undone already
	if strings.EqualFold(textproto.TrimString(part.Header.Get("Content-Transfer-Encoding")), "base64") {
		r = base64.NewDecoder(base64.StdEncoding, part)
	}
	text, _ := io.ReadAll(r) // of one that is cut off, what came
	return text
}

// declared is the encoding that an XML declaration names.
var declared = regexp.MustCompile(`^<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)

// named is the charset that a content type names, well written or not.
var named = regexp.MustCompile(`(?i)\bcharset\s*=\s*["']?([^"';\s]+)`)

// decode reads a text in its charset: the one its bytes prove, else the one of
// its content type, else the one that an XML declaration names, else UTF-8. A
// byte that means nothing there becomes U+FFFD.
func decode(text []byte, kind string) (plain []byte, err error) {
	enc := proven(text)
	if enc == nil {
		m := named.FindStringSubmatch(kind)
		if m == nil {
			m = declared.FindStringSubmatch(string(bytes.TrimLeft(text, " \t\r\n")))
		}
		wide := m != nil && strings.HasPrefix(strings.ToLower(m[1]), "utf-16") // often said of a text that is in UTF-8
		if m != nil && (!wide || bytes.IndexByte(text, 0) >= 0 && text[0] != '<') {
			if enc, _ = charset.Lookup(m[1]); enc == nil || enc == encoding.Replacement {
				enc, err = nil, fmt.Errorf("is written in %s", exchange.Clip(m[1]))
			}
		}
	}
	if enc == nil {
		enc = unicode.UTF8
	}
	plain, _ = enc.NewDecoder().Bytes(text)
	return bytes.TrimPrefix(plain, []byte("\ufeff")), err
}

// proven is the encoding of a text that begins with a byte order mark, or in
// UTF-16 with the first character of XML; nil: neither.
func proven(text []byte) encoding.Encoding {
	for _, known := range []struct {
		prefix string
		enc    encoding.Encoding
	}{
		{"\xef\xbb\xbf", unicode.UTF8},
		{"\xfe\xff", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		{"\xff\xfe", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		{"\x00<", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		{"<\x00", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	} {
		if bytes.HasPrefix(text, []byte(known.prefix)) {
			return known.enc
		}
	}
	return nil
}
