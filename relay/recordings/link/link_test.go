package link

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

var (
	linkKey  = Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")}
	otherKey = Key{ID: "k2", Secret: []byte("fedcba9876543210fedcba9876543210")}
	linkTime = time.Unix(1587513600, 0)
)

const linkBase = "https://pbx.example.com/recordings"

// parse reads a link that starts with linkBase.
func parse(t testing.TB, link string) (Link, error) {
	t.Helper()
	path, query, _ := strings.Cut(strings.TrimPrefix(link, "https://pbx.example.com"), "?")
	return Parse("/recordings", path, query)
}

func TestSignedLinkHasTheDocumentedForm(t *testing.T) {
	got := Signed(linkBase, "2020/04/a b.wav", linkKey, linkTime, Slice{Start: 1.5, End: 3})
	// printf 'v1\nk1\n1587513600\n2020/04/a%%20b.wav\nstart=1.5&end=3' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -binary | basenc --base64url | tr -d =
	want := linkBase + "/2020/04/a%20b.wav?exp=1587513600&kid=k1&sig=3M_nk4eblcXT32EYGs1txw29ihF5hW6OkISLfKu6ZbM&start=1.5&end=3"
	if got != want {
		t.Errorf("SignedLink = %s, want %s", got, want)
	}
}

func TestLinkOpensItsPath(t *testing.T) {
	for _, test := range []struct {
		name string
		path string
	}{
		{"plain", "20200422-1.wav"},
		{"in folders", "2020/04/22/1.wav"},
		{"with spaces and quotes", `O"Neil & <Sons>'s call.wav`},
		{"with what URLs mean something by", "a?b=c&exp=1#d%2e%2e/e;f=g,h@i:j+k.wav"},
		{"with a line break", "a\nb\r\nc.wav"},
		{"in another script", "звонок-№1-☎.wav"},
		{"not in UTF-8", "caf\xe9.wav"},
		{"with dots that mean nothing", "..a/b../...wav"},
		{"with a backslash", `..\..\etc\passwd`},
		{"like a token", "AAAAAAAAAAAAAAAAAAAAAA"},
	} {
		for _, slice := range []Slice{{}, {Start: 0.125}, {End: 7}, {Start: 1.5, End: 3.25}} {
			t.Run(test.name+" "+slice.String(), func(t *testing.T) {
				checkSigned(t, test.path, slice)
				checkAnonymous(t, test.path, slice)
			})
		}
	}
}

func checkSigned(t *testing.T, path string, slice Slice) {
	t.Helper()
	link := Signed(linkBase, path, linkKey, linkTime, slice)
	if u, err := url.Parse(link); err != nil || u.Path != "/recordings/"+path {
		t.Errorf("link %s parses to path %q, %v", link, u.Path, err)
	}
	l, err := parse(t, link)
	if err != nil || !l.Signed || l.Path != path || l.Slice != slice {
		t.Fatalf("Parse(%s) = %+v, %v", link, l, err)
	}
	if err := l.Verify([]Key{otherKey, linkKey}, linkTime); err != nil {
		t.Errorf("Verify(%s) = %v", link, err)
	}
	if err := l.Verify([]Key{linkKey}, linkTime.Add(time.Second)); !errors.Is(err, ErrExpired) {
		t.Errorf("Verify a second after expiry = %v, want %v", err, ErrExpired)
	}
	if err := l.Verify([]Key{otherKey}, linkTime); !errors.Is(err, ErrKey) {
		t.Errorf("Verify without its key = %v, want %v", err, ErrKey)
	}
	stolen := Key{ID: linkKey.ID, Secret: otherKey.Secret}
	if err := l.Verify([]Key{stolen}, linkTime); !errors.Is(err, ErrSignature) {
		t.Errorf("Verify with another secret = %v, want %v", err, ErrSignature)
	}
}

func checkAnonymous(t *testing.T, path string, slice Slice) {
	t.Helper()
	link := Anonymous(linkBase, path, linkKey, slice)
	l, err := parse(t, link)
	if err != nil || l.Signed || l.Slice != slice {
		t.Fatalf("Parse(%s) = %+v, %v", link, l, err)
	}
	if name := path[strings.LastIndexByte(path, '/')+1:]; strings.Contains(link, EscapePath(name)) {
		t.Errorf("link %s holds the file's name", link)
	}
	ids := l.PathIDs([]Key{otherKey, linkKey})
	if len(ids) != 2 || ids[0] == PathID(path) || ids[1] != PathID(path) {
		t.Errorf("PathIDs(%s) = %x, want the second to be %x", link, ids, PathID(path))
	}
	l.Slice = Slice{Start: 100}
	if ids := l.PathIDs([]Key{linkKey}); ids[0] == PathID(path) {
		t.Errorf("token of %s opens another slice", link)
	}
}

func TestParseRefuses(t *testing.T) {
	signed := "exp=1587513600&kid=k1&sig=x"
	for _, test := range []struct {
		name        string
		path, query string
		want        error
	}{
		{"nothing below the prefix", "/recordings/", "", ErrPath},
		{"the prefix alone", "/recordings", "", ErrPath},
		{"another prefix", "/recordingsx/a.wav", "", ErrPath},
		{"a prefix that is cut", "/record/a.wav", "", ErrPath},
		{"dot dot", "/recordings/../a.wav", "", ErrPath},
		{"dot dot within", "/recordings/a/../b.wav", "", ErrPath},
		{"encoded dot dot", "/recordings/%2e%2E/a.wav", "", ErrPath},
		{"encoded slash", "/recordings/a%2Fb.wav", "", ErrPath},
		{"dot", "/recordings/./a.wav", "", ErrPath},
		{"double slash", "/recordings//a.wav", "", ErrPath},
		{"absolute", "/recordings//etc/passwd", "", ErrPath},
		{"slash at the end", "/recordings/a/", "", ErrPath},
		{"NUL", "/recordings/a%00.wav", "", ErrPath},
		{"bad escape", "/recordings/a%zz.wav", "", ErrPath},
		{"unknown parameter", "/recordings/a.wav", signed + "&x=1", ErrQuery},
		{"unknown parameter alone", "/recordings/a.wav", "x", ErrQuery},
		{"repeated parameter", "/recordings/a.wav", signed + "&exp=1587513600", ErrQuery},
		{"repeated parameter, the other encoded", "/recordings/a.wav", signed + "&e%78p=1587513600", ErrQuery},
		{"a name in another form", "/recordings/a.wav", "e%78p=1587513600&kid=k1&sig=x", ErrQuery},
		{"empty parameter", "/recordings/a.wav", "exp=1&kid=k1&sig=", ErrQuery},
		{"slice that is no number", "/recordings/a.wav", "start=one", ErrQuery},
		{"slice in another form", "/recordings/a.wav", "start=1.50", ErrQuery},
		{"slice with an exponent", "/recordings/a.wav", "start=1e2", ErrQuery},
		{"slice in hex", "/recordings/a.wav", "start=0x1p1", ErrQuery},
		{"slice from 0", "/recordings/a.wav", "start=0", ErrQuery},
		{"slice from before", "/recordings/a.wav", "start=-1", ErrQuery},
		{"slice from infinity", "/recordings/a.wav", "start=+Inf", ErrQuery},
		{"slice to infinity", "/recordings/a.wav", "end=+Inf", ErrQuery},
		{"slice of nothing", "/recordings/a.wav", "start=2&end=2", ErrQuery},
		{"slice backwards", "/recordings/a.wav", "start=3&end=2", ErrQuery},
		{"slice that is NaN", "/recordings/a.wav", "end=NaN", ErrQuery},
	} {
		t.Run(test.name, func(t *testing.T) {
			if l, err := Parse("/recordings", test.path, test.query); !errors.Is(err, test.want) {
				t.Errorf("Parse(%s?%s) = %+v, %v, want %v", test.path, test.query, l, err, test.want)
			}
		})
	}
}

func TestVerifyRefusesWhatIsMissing(t *testing.T) {
	for _, query := range []string{
		"exp=1587513600", "kid=k1", "sig=x", "exp=1587513600&kid=k1", "kid=k1&sig=x", "exp=1587513600&sig=x",
		"exp=+1587513600&kid=k1&sig=x", "exp=01587513600&kid=k1&sig=x", "exp=99999999999999999999&kid=k1&sig=x", "exp=never&kid=k1&sig=x",
		"exp=1587513600;kid=k1&sig=x",
	} {
		l, err := Parse("/recordings", "/recordings/a.wav", query)
		if err != nil || !l.Signed {
			t.Errorf("Parse(%s) = %+v, %v, want a signed link", query, l, err)
		}
		if err := l.Verify([]Key{linkKey}, linkTime); err == nil {
			t.Errorf("Verify(%s) = nil", query)
		}
	}
}

// FuzzLink changes a link that opens: what still opens is the same one.
func FuzzLink(f *testing.F) {
	good := Signed("", "2020/a b.wav", linkKey, linkTime, Slice{Start: 1.5, End: 3})
	path, query, _ := strings.Cut(good, "?")
	f.Add(path, query)
	f.Add(path, query+"&start=2")
	f.Add("/2020/../2020/a%20b.wav", query)
	f.Add("/2020/a+b.wav", strings.ToUpper(query))
	f.Add("/2020/"+Anonymous("", "x", linkKey, Slice{})[1:], "")
	f.Add("/\x00", "exp=1&exp=1")
	f.Fuzz(func(t *testing.T, path, query string) {
		l, err := Parse("", path, query)
		if err != nil {
			return
		}
		if !CanonicalPath(l.Path) || !l.Slice.Valid() {
			t.Errorf("Parse(%q, %q) = %+v", path, query, l)
		}
		_ = l.PathIDs([]Key{linkKey})
		if l.Verify([]Key{linkKey}, linkTime) == nil && (l.Path != "2020/a b.wav" || l.Slice != Slice{1.5, 3}) {
			t.Errorf("%q?%q opens %+v", path, query, l)
		}
	})
}
