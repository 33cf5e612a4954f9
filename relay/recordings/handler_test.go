package recordings

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/config"
	"callrelay/relay/recordings/link"
)

// serveTest starts the recording server and returns its address.
func serveTest(t testing.TB, r *Recordings) string {
	t.Helper()
	srv := httptest.NewServer(r.Handler())
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// ask sends a request whose target is not tidied up by any client, and reads
// the whole answer.
func ask(t testing.TB, addr, method, target string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	text := method + " " + target + " HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n"
	if len(headers) > 0 {
		text += strings.Join(headers, "\r\n") + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// target is the path and query of a link.
func target(t testing.TB, link string) string {
	t.Helper()
	rest, ok := strings.CutPrefix(link, "http://relay.test")
	if !ok {
		t.Fatalf("link %q does not start with the configured address", link)
	}
	return rest
}

func basic(name, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func TestLinkOpensInItsMode(t *testing.T) {
	r, text := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	data := testFile(t, "mono.wav")
	login := basic("crm", "right horse")
	for _, name := range []string{"mono.wav", "2020/04/22/a b.wav", `O"Neil & <Sons>?#%2e%2e;.wav`, "line\nbreak.wav", "звонок.wav", ".hidden.wav"} {
		put(t, r, name, data)
		for _, test := range []struct {
			access  string
			headers []string
		}{
			{AccessSigned, nil},
			{AccessSigned, []string{basic("crm", "wrong")}}, // looked at no more than any other header
			{AccessAnonymous, nil},
			{AccessBasic, []string{login}},
			{"", nil},
		} {
			link := target(t, r.Link(name, test.access, time.Now(), -1, -1))
			resp, body := ask(t, addr, "GET", link, test.headers...)
			if resp.StatusCode != http.StatusOK || !bytes.Equal(body, data) {
				t.Errorf("%q, %q: status %d, %d bytes, want 200 and %d", name, test.access, resp.StatusCode, len(body), len(data))
			}
			if got := resp.Header.Get("Content-Type"); got != "audio/wav" {
				t.Errorf("%q: Content-Type %q", name, got)
			}
			checkHidden(t, text.String(), link)
		}
	}
	if resp, body := ask(t, addr, "HEAD", target(t, r.Link("mono.wav", "", time.Now(), -1, -1))); len(body) > 0 || resp.ContentLength != int64(len(data)) {
		t.Errorf("HEAD: %d bytes, length %d, want 0 and %d", len(body), resp.ContentLength, len(data))
	}
}

// checkHidden looks for what of a link would open it again.
func checkHidden(t *testing.T, log, link string) {
	t.Helper()
	_, query, signed := strings.Cut(link, "&sig=")
	if token := filepath.Base(link); !signed && len(token) == 22 && strings.Contains(log, token) || signed && strings.Contains(log, query) {
		t.Errorf("log holds the secret of %s", link)
	}
	if strings.Contains(log, "right horse") {
		t.Error("log holds the password")
	}
}

// TestRefused tries to open what is not open to it. Nothing but the status may
// tell the attempts from each other.
func TestRefused(t *testing.T) {
	c := testConfig(t)
	c.Keys = append(c.Keys, config.Key{ID: "k2", Secret: config.NewSecret(secondKey)})
	r, text := openTest(t, c, Options{})
	addr := serveTest(t, r)
	data, outside := testFile(t, "mono.wav"), filepath.Join(t.TempDir(), "secret.wav")
	for _, name := range []string{"a.wav", "b.wav", "2020/c.wav"} {
		put(t, r, name, data)
	}
	if err := os.WriteFile(outside, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"out.wav": outside, "up": "..", "etc": "/etc", "loop.wav": "loop.wav"} {
		if err := os.Symlink(to, filepath.Join(c.Dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(c.Dir, "fifo.wav"), 0o644); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(c.Dir, "socket.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()

	now, later := time.Now(), time.Now().Add(time.Hour)
	key := link.Key{ID: "k1", Secret: []byte(testKey)}
	sign := func(name string) string { return link.Signed("/recordings", name, key, later, link.Slice{}) }
	link := func(name, access string, start, end float64) string {
		return target(t, r.Link(name, access, now, start, end))
	}
	a, b := link("a.wav", AccessSigned, -1, -1), link("b.wav", AccessSigned, -1, -1)
	_, queryA, _ := strings.Cut(a, "?")
	_, queryB, _ := strings.Cut(b, "?")
	part, token := link("a.wav", AccessSigned, 1, 2), link("a.wav", AccessAnonymous, -1, -1)
	partToken := link("a.wav", AccessAnonymous, 1, 2)
	right, wrong := basic("crm", "right horse"), basic("crm", "wrong horse")
	exp := strconv.FormatInt(later.Unix(), 10)
	replace := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%s does not hold %s", s, old)
		}
		return strings.Replace(s, old, new, 1)
	}
	expOf := func(link string) string { return link[strings.Index(link, "exp=")+4 : strings.Index(link, "&kid")] }

	for _, test := range []struct {
		name   string
		target string
		header string
		want   int
	}{
		{"no signature", "/recordings/a.wav", "", 401},
		{"no signature on what is not there", "/recordings/never.wav", "", 401},
		{"another file's signature", "/recordings/a.wav?" + queryB, "", 403},
		{"another file's signature and the right password", "/recordings/a.wav?" + queryB, right, 403},
		{"a file below with the signature of one above", "/recordings/2020/c.wav?" + queryA, "", 403},
		{"later expiry", replace(a, expOf(a), exp+"0"), "", 403},
		{"no expiry", "/recordings/a.wav?" + queryA[strings.Index(queryA, "&")+1:], "", 403},
		{"negative expiry", replace(a, "exp=", "exp=-"), "", 403},
		{"expired", target(t, r.Link("a.wav", AccessSigned, now.Add(-2*time.Hour), -1, -1)), "", 403},
		{"expired and the right password", target(t, r.Link("a.wav", AccessSigned, now.Add(-2*time.Hour), -1, -1)), right, 403},
		{"unknown key", replace(a, "kid=k1", "kid=k9"), "", 403},
		{"another known key", replace(a, "kid=k1", "kid=k2"), "", 403},
		{"no key", replace(a, "kid=k1&", ""), "", 403},
		{"signature cut", a[:len(a)-1], "", 403},
		{"signature empty", a[:strings.Index(a, "sig=")+4], "", 403},
		{"signature in another case", a[:strings.Index(a, "sig=")+4] + swapCase(a[strings.Index(a, "sig=")+4:]), "", 403},
		{"signature with padding", a + "%3D", "", 403},
		{"signature with a line break", a + "%0A", "", 403},
		{"no signature but its key", replace(a, "&sig=", "&six="), "", 403},
		{"unknown parameter", a + "&x=1", "", 403},
		{"repeated parameter", a + "&exp=" + exp, "", 403},
		{"slice added", a + "&start=1", "", 403},
		{"slice widened", replace(part, "end=2", "end=3"), "", 403},
		{"slice removed", replace(part, "&start=1&end=2", ""), "", 403},
		{"slice written otherwise", replace(part, "start=1", "start=1.0"), "", 403},
		{"signature of the empty path", "/recordings/?" + queryA, "", 404},
		{"signature for the wrong mode", token + "?" + queryA, "", 403},
		{"wrong password", "/recordings/a.wav", wrong, 401},
		{"unknown user", "/recordings/a.wav", basic("crn", "right horse"), 401},
		{"empty password", "/recordings/a.wav", basic("crm", ""), 401},
		{"no user", "/recordings/a.wav", basic("", ""), 401},
		{"password in the URL's place for it", "/recordings/a.wav?password=right+horse", "", 403},
		{"broken basic", "/recordings/a.wav", "Authorization: Basic !!!", 401},
		{"bearer", "/recordings/a.wav", "Authorization: Bearer right horse", 401},
		{"guessed token", "/recordings/AAAAAAAAAAAAAAAAAAAAAA", "", 401},
		{"token with a bit changed", token[:len("/recordings/")] + flip(token[len("/recordings/"):]), "", 401},
		{"token in another folder", replace(token, "/recordings/", "/recordings/2020/"), "", 401},
		{"token of a slice, for the whole", partToken[:strings.Index(partToken, "?")], "", 401},
		{"token of the whole, for a slice", token + "?start=1&end=2", "", 401},
		{"token of another slice", replace(partToken, "end=2", "end=3"), "", 401},
		{"token and the right password", token[:len(token)-1] + "%41", right, 404},
		{"dot dot", "/recordings/../secret.wav", right, 404},
		{"dot dot within", "/recordings/2020/../a.wav", right, 404},
		{"dot dot, signed", sign("../secret.wav"), "", 404},
		{"dot dot through a symlink, signed", sign("up/secret.wav"), "", 404},
		{"encoded dot dot", "/recordings/%2e%2e/secret.wav", right, 404},
		{"encoded dot dot and slash", "/recordings/%2e%2e%2fsecret.wav", right, 404},
		{"dot dot encoded twice", "/recordings/%252e%252e/secret.wav", right, 404},
		{"backslashes", `/recordings/..\secret.wav`, right, 404},
		{"absolute path", "/recordings/" + outside, right, 404},
		{"absolute path, encoded", "/recordings/" + strings.ReplaceAll(outside, "/", "%2F"), right, 404},
		{"absolute path, signed", "/recordings/" + outside + "?" + queryA, "", 404},
		{"NUL", "/recordings/a.wav%00.mp3", right, 404},
		{"symlink out", "/recordings/out.wav", right, 404},
		{"symlink out, signed", sign("out.wav"), "", 404},
		{"folder that is a symlink out", "/recordings/etc/passwd", right, 404},
		{"symlink to itself", "/recordings/loop.wav", right, 404},
		{"the folder itself", "/recordings/", right, 404},
		{"the folder without a slash", "/recordings", right, 404},
		{"a folder", "/recordings/2020", right, 404},
		{"a folder, signed", sign("2020"), "", 404},
		{"a folder with a slash", "/recordings/2020/", right, 404},
		{"a FIFO", "/recordings/fifo.wav", right, 404},
		{"a FIFO, signed", sign("fifo.wav"), "", 404},
		{"a token in a FIFO", "/recordings/fifo.wav/AAAAAAAAAAAAAAAAAAAAAA", right, 404},
		{"a socket", "/recordings/socket.wav", right, 404},
		{"a file as a folder", "/recordings/a.wav/b.wav", right, 404},
		{"beside the recordings", "/secret.wav", right, 404},
		{"the root", "/", right, 404},
		{"a prefix of another name", "/recordings-old/a.wav", right, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{}
			if test.header != "" {
				headers = append(headers, test.header)
			}
			resp, body := ask(t, addr, "GET", test.target, headers...)
			if resp.StatusCode != test.want {
				t.Errorf("GET %s = %d, want %d", test.target, resp.StatusCode, test.want)
			}
			if len(body) > 40 || bytes.Contains(body, []byte("RIFF")) {
				t.Errorf("GET %s answers %q", test.target, body)
			}
			if resp.StatusCode == 401 && resp.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 does not say how to authenticate")
			}
		})
	}
	for _, secret := range []string{queryA[strings.Index(queryA, "sig=")+4:], filepath.Base(token), "right horse"} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("log holds %s", secret)
		}
	}
}

func swapCase(s string) string {
	return strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return c ^ 0x20
		}
		return c
	}, s)
}

// flip changes the first letter of a token.
func flip(token string) string {
	if token[0] == 'A' {
		return "B" + token[1:]
	}
	return "A" + token[1:]
}

func TestRefusedWithoutUsers(t *testing.T) {
	c := testConfig(t)
	c.Users = nil
	r, _ := openTest(t, c, Options{})
	addr := serveTest(t, r)
	put(t, r, "a.wav", testFile(t, "mono.wav"))
	for target, want := range map[string]int{
		"/recordings/a.wav": 403, "/recordings/never.wav": 403, "/recordings/AAAAAAAAAAAAAAAAAAAAAA": 404,
	} {
		if resp, _ := ask(t, addr, "GET", target, basic("crm", "")); resp.StatusCode != want {
			t.Errorf("GET %s = %d, want %d", target, resp.StatusCode, want)
		}
	}
}

func TestMethods(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	put(t, r, "a.wav", testFile(t, "mono.wav"))
	link := target(t, r.Link("a.wav", "", time.Now(), -1, -1))
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "TRACE"} {
		resp, _ := ask(t, addr, method, link)
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s = %d, Allow %q, want 405", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	data := testFile(t, "mono.wav")
	put(t, r, "a.wav", data)
	link := target(t, r.Link("a.wav", "", time.Now(), -1, -1))
	first, _ := ask(t, addr, "GET", link)
	tag, modified := first.Header.Get("Etag"), first.Header.Get("Last-Modified")
	if len(tag) < 4 || tag[0] != '"' || modified == "" {
		t.Fatalf("Etag %q, Last-Modified %q, want both", tag, modified)
	}
	for _, test := range []struct {
		name   string
		header string
		want   int
		body   []byte
	}{
		{"a range", "Range: bytes=10-19", 206, data[10:20]},
		{"to the end", "Range: bytes=100-", 206, data[100:]},
		{"the end", "Range: bytes=-7", 206, data[len(data)-7:]},
		{"beyond the end", "Range: bytes=1000000-", 416, nil},
		{"nothing sensible", "Range: bytes=5-4", 416, nil},
		{"known already", "If-None-Match: " + tag, 304, []byte{}},
		{"not modified", "If-Modified-Since: " + modified, 304, []byte{}},
		{"another one known", `If-None-Match: "other"`, 200, data},
		{"another one wanted", `If-Match: "other"`, 412, []byte{}},
		{"range of another one", "Range: bytes=1-2\r\nIf-Range: \"other\"", 200, data},
		{"range of this one", "Range: bytes=1-2\r\nIf-Range: " + tag, 206, data[1:3]},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := ask(t, addr, "GET", link, test.header)
			if resp.StatusCode != test.want || test.body != nil && !bytes.Equal(body, test.body) {
				t.Errorf("%s = %d, %d bytes, want %d, %d bytes", test.header, resp.StatusCode, len(body), test.want, len(test.body))
			}
		})
	}
}

func TestETagFollowsTheFile(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	data := testFile(t, "mono.wav")
	put(t, r, "a.wav", data)
	link := target(t, r.Link("a.wav", "", time.Now(), -1, -1))
	first, _ := ask(t, addr, "HEAD", link)
	put(t, r, "a.wav", data[:len(data)-2])
	if second, _ := ask(t, addr, "HEAD", link); first.Header.Get("Etag") == second.Header.Get("Etag") {
		t.Errorf("Etag %s is that of two contents", first.Header.Get("Etag"))
	}
}

// TestKeysRotate is a reload that adds a key, and one that takes the first one
// away: links made with it are refused from then on.
func TestKeysRotate(t *testing.T) {
	c := testConfig(t)
	r, _ := openTest(t, c, Options{})
	addr := serveTest(t, r)
	put(t, r, "a.wav", testFile(t, "mono.wav"))
	links := map[string]string{}
	for _, access := range []string{AccessSigned, AccessAnonymous} {
		links[access] = target(t, r.Link("a.wav", access, time.Now(), -1, -1))
	}
	open := func(want int) {
		t.Helper()
		for access, link := range links {
			if resp, _ := ask(t, addr, "GET", link); resp.StatusCode != want {
				t.Errorf("%s link = %d, want %d", access, resp.StatusCode, want)
			}
		}
	}
	next := *c
	next.Users = nil
	next.Keys = []config.Key{{ID: "k2", Secret: config.NewSecret(secondKey)}, c.Keys[0]}
	for _, step := range []struct {
		keys []config.Key
		want int
	}{{next.Keys, 200}, {next.Keys[:1], 403}} {
		next.Keys = step.keys
		if err := reapply(r, &next); err != nil {
			t.Fatal(err)
		}
		if step.want == 200 {
			open(200)
			continue
		}
		if resp, _ := ask(t, addr, "GET", links[AccessSigned]); resp.StatusCode != 403 {
			t.Errorf("signed link of a removed key = %d, want 403", resp.StatusCode)
		}
		if resp, _ := ask(t, addr, "GET", links[AccessAnonymous]); resp.StatusCode != 404 {
			t.Errorf("anonymous link of a removed key = %d, want 404", resp.StatusCode)
		}
	}
	if link := r.Link("a.wav", "", time.Now(), -1, -1); !strings.Contains(link, "kid=k2") {
		t.Errorf("link %s is not made with the first key", link)
	}
}

func TestTypes(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	for name, want := range map[string]string{
		"a.WAV": "audio/wav", "a.mp3": "audio/mpeg", "a.ogg": "audio/ogg", "a.flac": "audio/flac", "a.opus": "audio/ogg", "a.m4a": "audio/mp4",
		"a.html": "application/octet-stream", "a.svg": "application/octet-stream", "a": "application/octet-stream",
	} {
		put(t, r, name, []byte("<html><script>alert(1)</script>"))
		resp, _ := ask(t, addr, "GET", target(t, r.Link(name, "", time.Now(), -1, -1)))
		if got := resp.Header.Get("Content-Type"); got != want || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: Content-Type %q, want %q, and not to be sniffed", name, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	r, _ := openTest(t, testConfig(t), Options{Metrics: reg})
	addr := serveTest(t, r)
	data := testFile(t, "mono.wav")
	put(t, r, "a.wav", data)
	link := target(t, r.Link("a.wav", "", time.Now(), -1, -1))
	ask(t, addr, "GET", link)
	ask(t, addr, "GET", link, "Range: bytes=0-9")
	ask(t, addr, "HEAD", link)
	ask(t, addr, "GET", "/recordings/a.wav")
	for name, want := range map[string]float64{
		"relay_recording_requests_total 200": 2, "relay_recording_requests_total 206": 1, "relay_recording_requests_total 401": 1,
		"relay_recording_requests_total 403": 0, "relay_recording_bytes_total": float64(len(data) + 10),
	} {
		waitFor(t, fmt.Sprintf("%s = %v", name, want), func() bool { // an answer arrives before it is counted
			value, ok := counters(t, reg)[name]
			return ok && value == want
		})
	}
}

// counters returns all counters by their name and label.
func counters(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			values[name] = m.GetCounter().GetValue()
		}
	}
	return values
}
