package link

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// version is the first line of what a link's signature covers, so that a
// later form can never be taken for this one.
const version = "v1"

// tokenBytes is the size of an anonymous link's token: 128 bits.
const tokenBytes = 16

// Errors of [Parse] and [Link.Verify]. They say nothing of what the link
// holds, so they may be logged and shown.
var (
	ErrPath      = errors.New("path is not below the recordings")
	ErrQuery     = errors.New("parameters are not those of a link")
	ErrKey       = errors.New("key is unknown")
	ErrSignature = errors.New("signature does not fit")
	ErrExpired   = errors.New("link is expired")
)

// A Key makes and verifies links. The secret is 32 bytes or more.
type Key struct {
	ID     string
	Secret []byte
}

// Signed returns the link that opens path below base until exp, by its
// signature alone.
func Signed(base, path string, key Key, exp time.Time, s Slice) string {
	l := Link{Path: path, Slice: s, exp: strconv.FormatInt(exp.Unix(), 10), kid: key.ID}
	query := "exp=" + l.exp + "&kid=" + url.QueryEscape(l.kid) + "&sig=" + l.signature(key)
	if part := s.String(); part != "" {
		query += "&" + part
	}
	return base + "/" + EscapePath(path) + "?" + query
}

// Basic returns the link for which the server asks a name and a password.
func Basic(base, path string, s Slice) string {
	return withSlice(base+"/"+EscapePath(path), s)
}

// Anonymous returns the link that opens path to everyone who has it: a
// token stands in place of the file's name.
func Anonymous(base, name string, key Key, s Slice) string {
	id := PathID(name)
	var token [tokenBytes]byte
	key.tokenCipher(s).Encrypt(token[:], id[:])
	dir, _ := path.Split(name)
	return withSlice(base+"/"+EscapePath(dir)+base64.RawURLEncoding.EncodeToString(token[:]), s)
}

func withSlice(link string, s Slice) string {
	if part := s.String(); part != "" {
		return link + "?" + part
	}
	return link
}

// EscapePath writes a path in the one form that links use and signatures
// cover: all but letters, digits, "-._~" and the slash is percent-encoded.
func EscapePath(p string) string {
	if strings.IndexFunc(p, func(r rune) bool { return r >= utf8.RuneSelf || !plainInPath(byte(r)) }) < 0 {
		return p
	}
	var b strings.Builder
	for i := range len(p) {
		if c := p[i]; plainInPath(c) {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func plainInPath(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0
}

// A Link is a recording link taken apart. What it says is to be believed only
// after one of its checks.
type Link struct {
	Path   string // below the recordings, unescaped; the last element may be a token
	Slice  Slice
	Signed bool // it has a signature; nothing else can open it then

	exp, kid, sig string
}

// Parse reads a link as it was requested: the escaped path, which has to
// be below prefix, and the query. Only the one way to write a path is read:
// dot segments, empty ones and encoded slashes are [ErrPath]. A parameter
// that is unknown, repeated, missing or not in its canonical form is
// [ErrQuery].
func Parse(prefix, escapedPath, rawQuery string) (Link, error) {
	rest, below := strings.CutPrefix(escapedPath, prefix+"/")
	if !below || strings.Contains(strings.ToLower(rest), "%2f") {
		return Link{}, ErrPath
	}
	name, err := url.PathUnescape(rest)
	if err != nil || !CanonicalPath(name) {
		return Link{}, ErrPath
	}
	l := Link{Path: name}
	if err := l.parseQuery(rawQuery); err != nil {
		return Link{}, err
	}
	return l, nil
}

// CanonicalPath reports whether name is a path in its shortest form that
// stays below where it starts.
func CanonicalPath(name string) bool {
	return name != "." && path.Clean(name) == name && filepath.IsLocal(name) && strings.IndexByte(name, 0) < 0
}

func (l *Link) parseQuery(raw string) error {
	var start, end string
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		name, escaped, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(escaped)
		into := l.parameter(name, &start, &end)
		if err != nil || into == nil || *into != "" || value == "" {
			return ErrQuery
		}
		*into = value
	}
	var err error
	l.Signed = l.exp != "" || l.kid != "" || l.sig != ""
	l.Slice, err = parseSlice(start, end)
	return err
}

// parameter is where the value of a parameter belongs, nil for one that no
// link has.
func (l *Link) parameter(name string, start, end *string) *string {
	switch name {
	case "exp":
		return &l.exp
	case "kid":
		return &l.kid
	case "sig":
		return &l.sig
	case "start":
		return start
	case "end":
		return end
	}
	return nil
}

// Verify checks the signature and the expiry of a signed link. Every key
// verifies; the signature is compared in constant time.
func (l Link) Verify(keys []Key, now time.Time) error {
	exp, err := strconv.ParseInt(l.exp, 10, 64)
	if err != nil || strconv.FormatInt(exp, 10) != l.exp {
		return ErrQuery
	}
	for _, key := range keys {
		if key.ID != l.kid {
			continue
		}
		if !hmac.Equal([]byte(l.signature(key)), []byte(l.sig)) {
			return ErrSignature
		}
		if now.Unix() > exp {
			return ErrExpired
		}
		return nil
	}
	return ErrKey
}

// signature covers version, key id, expiry, path and slice, one a line. None
// of them can hold a line break: the path is escaped, and the key id is one
// of the configuration's.
func (l Link) signature(key Key) string {
	mac := hmac.New(sha256.New, key.Secret)
	mac.Write([]byte(strings.Join([]string{version, l.kid, l.exp, EscapePath(l.Path), l.Slice.String()}, "\n")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// PathIDs returns which path the link's token means, for each of the keys, as
// [PathID] names it; none when the last element of the path is no token. A
// token made with none of the keys, or for another slice, gives the ids of
// paths that do not exist.
func (l Link) PathIDs(keys []Key) [][tokenBytes]byte {
	text := path.Base(l.Path)
	token, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(token) != tokenBytes || base64.RawURLEncoding.EncodeToString(token) != text {
		return nil
	}
	ids := make([][tokenBytes]byte, len(keys))
	for i, key := range keys {
		key.tokenCipher(l.Slice).Decrypt(ids[i][:], token)
	}
	return ids
}

// PathID names a path in 128 bits. It is no secret: an index of paths holds
// for all keys and slices.
func PathID[T string | []byte](path T) [tokenBytes]byte {
	sum := sha256.Sum256([]byte(path))
	return [tokenBytes]byte(sum[:tokenBytes])
}

// tokenCipher returns the permutation that turns path ids into tokens. Every
// key and slice has its own one, so a token says nothing of any other, and a
// server finds the path of a token without trying all of them.
func (k Key) tokenCipher(s Slice) cipher.Block {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte(strings.Join([]string{version, k.ID, "anonymous", s.String()}, "\n")))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // a SHA-256 sum is an AES-256 key
	}
	return block
}
