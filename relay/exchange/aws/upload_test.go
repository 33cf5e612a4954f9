package aws

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/exchange"
)

// recording is a file in memory, which changes when it is told to.
type recording struct {
	*bytes.Reader
	changed error
}

func (r *recording) Check() error { return r.changed }

// testWhole stands for wholeBytes, so that the tests are quick.
const testWhole = wholeBytes >> 10

// large is a recording that goes in five parts, the last of one byte.
func large(seed byte) []byte {
	data := make([]byte, testWhole+1)
	for i := range data {
		data[i] = byte(i>>12) + byte(i)*seed
	}
	return data
}

// storage is as much of S3 as uploads use, with a bucket in the path or in the
// host. It is told to fail by its fields.
type storage struct {
	t      *testing.T
	bucket string // in the path; "": in the host

	mu       sync.Mutex
	uploads  map[string]map[int][]byte
	objects  map[string][]byte
	asked    []string // such as "PUT 2"
	failing  string   // such a request gets a 500
	answer   string   // to the last request of an upload, instead of success
	unlisted bool
}

func (s *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	sum := sha256.Sum256(body)
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		s.t.Errorf("%s %s is not signed over its body", r.Method, r.URL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	ask := r.Method + " " + cmp.Or(q.Get("partNumber"), map[bool]string{true: "uploads"}[q.Has("uploads")], map[bool]string{true: "upload"}[q.Has("uploadId")])
	s.asked = append(s.asked, ask)
	if ask == s.failing {
		http.Error(w, "<Error><Code>InternalError</Code></Error>", 500)
		return
	}
	id, number := q.Get("uploadId"), q.Get("partNumber")
	parts, known := s.uploads[id]
	switch {
	case q.Has("uploads") && r.Method == http.MethodGet:
		s.list(w, r, q)
	case q.Has("uploads"):
		id = fmt.Sprintf("upload %d&", len(s.asked))
		s.uploads[id] = map[int][]byte{}
		s.write(w, fmt.Sprintf("<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", strings.ReplaceAll(id, "&", "&amp;")))
	case !known:
		http.Error(w, "<Error><Code>NoSuchUpload</Code></Error>", 404)
	case number != "":
		n, _ := strconv.Atoi(number)
		parts[n] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(204)
	case r.Method == http.MethodGet:
		s.listParts(w, parts, q.Get("part-number-marker"))
	case s.answer != "":
		s.write(w, s.answer)
	default:
		s.complete(r.URL.Path, id, body)
		s.write(w, "<CompleteMultipartUploadResult/>")
	}
}

func (s *storage) write(w io.Writer, text string) { _, _ = io.WriteString(w, xml.Header+text) }

func etag(body []byte) string { return fmt.Sprintf("%q", hex.EncodeToString(sumOf(body))) }

func sumOf(body []byte) []byte {
	sum := md5.Sum(body)
	return sum[:]
}

// list answers where the bucket is, and with another's upload beside ours.
func (s *storage) list(w http.ResponseWriter, r *http.Request, q url.Values) {
	if r.URL.Path != "/"+s.bucket || s.unlisted {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
		return
	}
	text := "<Upload><Key>" + q.Get("prefix") + ".bak</Key><UploadId>other</UploadId></Upload>"
	for id := range s.uploads {
		text += fmt.Sprintf("<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>", q.Get("prefix"), strings.ReplaceAll(id, "&", "&amp;"))
	}
	s.write(w, `<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+text+"</ListMultipartUploadsResult>")
}

// listParts lists two at a time.
func (s *storage) listParts(w http.ResponseWriter, parts map[int][]byte, marker string) {
	from, _ := strconv.Atoi(marker)
	text := ""
	for n := from + 1; n <= from+2; n++ {
		if body, ok := parts[n]; ok {
			text += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>&quot;%x&quot;</ETag><Size>%d</Size></Part>", n, sumOf(body), len(body))
		}
	}
	s.write(w, fmt.Sprintf("<ListPartsResult>%s<IsTruncated>%t</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker></ListPartsResult>", text, len(parts) > from+2, from+2))
}

func (s *storage) complete(path, id string, body []byte) {
	var list struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.Unmarshal(body, &list); err != nil {
		s.t.Error(err)
	}
	var object []byte
	for _, p := range list.Part {
		data := s.uploads[id][p.PartNumber]
		if p.ETag != etag(data) {
			s.t.Errorf("part %d has ETag %s, want %s", p.PartNumber, p.ETag, etag(data))
		}
		object = append(object, data...)
	}
	s.objects[path] = object
	delete(s.uploads, id)
}

func openStorage(t *testing.T, bucket string) (*storage, *Sender, string) {
	t.Helper()
	s := &storage{t: t, bucket: bucket, uploads: map[string]map[int][]byte{}, objects: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	next, err := exchange.New(&config.Service{URL: server.URL, AllowPrivate: true, Timeout: time.Minute, Concurrency: 1, MaxResponse: 64 << 10, KeepAlive: true}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exchange.CloseIdle(next) })
	sender := senderOf("s3", "secret", "", next)
	sender.whole, sender.part = testWhole, partBytes>>10
	return s, sender, server.URL
}

// put makes one attempt and returns what the storage was asked.
func (s *storage) put(t *testing.T, sender exchange.Sender, target string, file exchange.File) (reply exchange.Reply, asked string, err error) {
	t.Helper()
	s.mu.Lock()
	s.asked = nil
	s.mu.Unlock()
	a := attemptOf(t, "PUT", target, "Content-Type: audio/wav\nUser-Agent: relay/test", "")
	a.Files, a.Idle = []exchange.Insert{{File: file}}, 30*time.Second
	reply, err = sender.Send(t.Context(), a)
	s.mu.Lock()
	defer s.mu.Unlock()
	return reply, strings.Join(s.asked, ", "), err
}

// TestUploadIsResumed has the third part fail, as at a kill: what comes after sends
// the rest alone. The file has changed when it is sent once more.
func TestUploadIsResumed(t *testing.T) {
	data := large(1)
	for _, bucket := range []string{"calls", ""} {
		s, sender, base := openStorage(t, bucket)
		target, found := base+"/calls/2026/+4930%20a.wav", "GET uploads, "
		if bucket == "" {
			found += found // the first place asked for is not the bucket
		}
		s.failing = "PUT 3"
		if reply, asked, err := s.put(t, sender, target, &recording{Reader: bytes.NewReader(data)}); err != nil || reply.Status != 500 || asked != found+"POST uploads, PUT 1, PUT 2, PUT 3" {
			t.Fatalf("first attempt: %d, %v, %s", reply.Status, err, asked)
		}
		s.failing = ""
		reply, asked, err := s.put(t, sender, target, &recording{Reader: bytes.NewReader(data)})
		if err != nil || reply.Status != 200 || asked != found+"GET upload, PUT 3, PUT 4, PUT 5, POST upload" {
			t.Fatalf("second attempt: %d, %v, %s", reply.Status, err, asked)
		}
		if !bytes.Equal(s.objects["/calls/2026/+4930 a.wav"], data) || len(s.uploads) != 0 {
			t.Errorf("object is not the file, or %d uploads are left", len(s.uploads))
		}
	}
}

func TestUploadOfAnotherFileIsAborted(t *testing.T) {
	s, sender, base := openStorage(t, "calls")
	s.failing = "PUT 4"
	_, _, _ = s.put(t, sender, base+"/calls/a.wav", &recording{Reader: bytes.NewReader(large(1))})
	s.failing = ""
	data := large(3)
	reply, asked, err := s.put(t, sender, base+"/calls/a.wav", &recording{Reader: bytes.NewReader(data)})
	if err != nil || reply.Status != 200 || asked != "GET uploads, GET upload, DELETE upload, POST uploads, PUT 1, PUT 2, PUT 3, PUT 4, PUT 5, POST upload" {
		t.Errorf("%d, %v, %s", reply.Status, err, asked)
	}
	if !bytes.Equal(s.objects["/calls/a.wav"], data) || len(s.uploads) != 0 {
		t.Errorf("object is not the file, or %d uploads are left", len(s.uploads))
	}
}

func TestUploadThatFails(t *testing.T) {
	data := large(1)
	for _, test := range []struct {
		name     string
		set      func(*storage, *recording)
		status   int
		held     bool
		fault    bool // of the file
		uploaded int  // that are left
	}{
		{"a bucket that lists nothing", func(s *storage, _ *recording) { s.unlisted = true }, 200, false, false, 0},
		{"success that is none", func(s *storage, _ *recording) { s.answer = "<Error><Code>InternalError</Code></Error>" }, 500, false, false, 1},
		{"file that changed", func(_ *storage, r *recording) { r.changed = errors.New("changed") }, 0, false, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, sender, base := openStorage(t, "calls")
			file := &recording{Reader: bytes.NewReader(data)}
			test.set(s, file)
			reply, asked, err := s.put(t, sender, base+"/calls/a.wav", file)
			_, fault := errors.AsType[*exchange.FileError](err)
			if fault != test.fault || err != nil && !fault || reply.Status != test.status || reply.Held != test.held || len(s.uploads) != test.uploaded {
				t.Errorf("%d, %v, %d uploads are left: %s", reply.Status, err, len(s.uploads), asked)
			}
		})
	}
}

// TestSenderIsRetired has a reload end the connections behind the signatures.
func TestSenderIsRetired(t *testing.T) {
	s, sender, base := openStorage(t, "calls")
	exchange.Retire(sender)
	file := &recording{Reader: bytes.NewReader(nil)}
	if _, asked, err := s.put(t, sender, base+"/calls/a.wav", file); !errors.Is(err, exchange.ErrRetired) || asked != "" {
		t.Errorf("after its end: %v, %s", err, asked)
	}
}

// TestWhatIsSentWhole is all but a large file that is put, alone, to S3.
func TestWhatIsSentWhole(t *testing.T) {
	file := &recording{Reader: bytes.NewReader(large(1))}
	files := []exchange.Insert{{File: file}}
	small := []exchange.Insert{{File: &recording{Reader: bytes.NewReader(make([]byte, testWhole))}}}
	s3, other := senderOf("s3", "secret", "", nil), senderOf("execute-api", "secret", "", nil)
	s3.whole, other.whole = testWhole, testWhole
	for name, a := range map[string]*exchange.Attempt{
		"POST":           {Method: "POST", URL: &url.URL{Path: "/b/a"}, Files: files},
		"a form":         {Method: "PUT", URL: &url.URL{Path: "/b/a"}, Files: files, Body: []byte("--")},
		"a query":        {Method: "PUT", URL: &url.URL{Path: "/b/a", RawQuery: "tagging"}, Files: files},
		"a smaller file": {Method: "PUT", URL: &url.URL{Path: "/b/a"}, Files: small},
	} {
		if s3.inParts(a) {
			t.Errorf("%s goes in parts", name)
		}
	}
	a := &exchange.Attempt{Method: "PUT", URL: &url.URL{Path: "/b/a"}, Files: files}
	if !s3.inParts(a) || other.inParts(a) {
		t.Error("a large file goes in parts to S3 and nowhere else")
	}
}

// TestRefusalOfCredentialsIsHeld has S3 say 400 of what a reload, or the clock, mends.
func TestRefusalOfCredentialsIsHeld(t *testing.T) {
	for body, held := range map[string]bool{
		"<Error><Code>ExpiredToken</Code></Error>": true, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>": true,
		"<Error><Code>RequestTimeout</Code></Error>": true, "<Error><Code>EntityTooLarge</Code></Error>": false, `{"message":"no such field"}`: false,
	} {
		next := exchange.SenderFunc(func(context.Context, *exchange.Attempt) (exchange.Reply, error) {
			return exchange.Reply{Status: 400, Body: []byte(body)}, nil
		})
		reply, err := senderOf("s3", "secret", "", next).Send(t.Context(), attemptOf(t, "PUT", "http://127.0.0.1/b/a", "", "text"))
		if err != nil || reply.Held != held {
			t.Errorf("%s: held %t, %v", body, reply.Held, err)
		}
	}
}

// TestHashIsThatOfTheFile takes a known one, and none of a file over TLS.
func TestHashIsThatOfTheFile(t *testing.T) {
	file := &recording{Reader: bytes.NewReader([]byte("audio"))}
	sum := sha256.Sum256([]byte("audio"))
	for _, test := range []struct {
		name    string
		service string
		secured bool
		file    exchange.File
		want    string
	}{
		{"in the clear", "s3", false, file, hex.EncodeToString(sum[:])},
		{"known", "s3", false, summed{file}, "known"},
		{"over TLS", "s3", true, file, unsigned},
		{"of another service", "execute-api", true, file, hex.EncodeToString(sum[:])},
	} {
		s := senderOf(test.service, "secret", "", nil)
		s.secured = test.secured
		if got, err := s.payload(&exchange.Attempt{Files: []exchange.Insert{{File: test.file}}}); err != nil || got != test.want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, err, test.want)
		}
	}
}

type summed struct{ *recording }

func (summed) SHA256() string { return "known" }
