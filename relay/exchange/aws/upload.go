package aws

import (
	"cmp"
	"context"
	"crypto/md5" // what S3 calls a part by
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/exchange"
)

// A file above wholeBytes goes to S3 in parts of partBytes, or of more where there
// would be too many. How large they are depends on the file's size alone.
const (
	wholeBytes = 64 << 20
	partBytes  = 16 << 20
	maxParts   = 10_000
	listed     = 50 // in an answer, so that it is short
	finishTime = time.Minute
)

// inParts reports whether an attempt puts a large file.
func (s *Sender) inParts(a *exchange.Attempt) bool {
	return s.storage && a.Method == http.MethodPut && len(a.Body) == 0 && len(a.Files) == 1 && a.URL.RawQuery == "" && a.Length() > s.whole
}

// transfer is one file on its way in parts. What S3 has of it by an attempt
// before is not sent again.
type transfer struct {
	*Sender
	a     *exchange.Attempt
	id    string // S3's, of the upload; empty: there is none yet
	size  int64  // of each part but the last
	parts []part // in order; without an ETag: it is to be sent
}

type part struct {
	PartNumber int
	ETag       string
	Size       int64 `xml:",omitempty"`
}

// upload makes an attempt in parts. The reply is that to the last request, and to
// the first one that failed. A file that changed ends what S3 has of it.
func (s *Sender) upload(ctx context.Context, a *exchange.Attempt) (exchange.Reply, error) {
	size := s.part
	for size*maxParts < a.Length() {
		size *= 2
	}
	t := &transfer{Sender: s, a: a, size: size, parts: make([]part, (a.Length()+size-1)/size)}
	reply, err := t.resume(ctx)
	if err == nil && t.id == "" {
		reply, err = t.create(ctx)
	}
	for i := range t.parts {
		if err != nil || reply.Status/100 != 2 {
			break
		}
		if t.parts[i].ETag == "" {
			reply, err = t.put(ctx, i)
		}
	}
	if err == nil && reply.Status/100 == 2 {
		reply, err = t.complete(ctx)
	}
	if _, changed := errors.AsType[*exchange.FileError](err); changed && t.id != "" {
		t.abort(ctx)
	}
	return reply, err
}

// resume looks for an upload that an attempt before has begun. Where S3 does not
// list them, there is none; only what speaks of the connection is an error.
func (t *transfer) resume(ctx context.Context) (reply exchange.Reply, err error) {
	for _, bucket := range bucketsOf(t.a.URL) {
		var list struct {
			XMLName xml.Name                         `xml:"ListMultipartUploadsResult"`
			Upload  []struct{ Key, UploadId string } //nolint:revive // S3's name
		}
		query := url.Values{"uploads": {""}, "prefix": {bucket.key}, "max-uploads": {strconv.Itoa(listed)}}
		if reply, err = t.ask(ctx, http.MethodGet, at(bucket.url, query), nil, nil, &list); err != nil {
			return reply, err
		}
		for _, u := range list.Upload {
			if t.id = u.UploadId; u.Key != bucket.key || t.id == "" {
				continue
			}
			if reply, err = t.compare(ctx); err != nil || reply.Status/100 == 2 {
				return reply, err
			}
			t.abort(ctx)
		}
		if list.XMLName.Local != "" {
			break
		}
	}
	t.id = ""
	return exchange.Reply{Status: http.StatusOK}, nil
}

// place is a bucket, and the key in it of what a URL names.
type place struct {
	url *url.URL
	key string
}

// bucketsOf are the places that a URL may mean: a bucket in the path or in the
// host.
func bucketsOf(u *url.URL) []place {
	root := *u
	root.Path, root.RawPath = "/", ""
	named := root
	whole := strings.TrimPrefix(u.Path, "/")
	name, key, found := strings.Cut(whole, "/")
	if !found || key == "" {
		return []place{{&root, whole}}
	}
	named.Path += name
	return []place{{&named, key}, {&root, whole}}
}

// compare takes over the parts that S3 has. The reply is no success when one is
// not what the file holds there, so that it belongs to another file.
func (t *transfer) compare(ctx context.Context) (exchange.Reply, error) {
	clear(t.parts)
	for marker := "0"; ; {
		var list struct {
			Part                 []part
			IsTruncated          bool
			NextPartNumberMarker string
		}
		query := url.Values{"uploadId": {t.id}, "part-number-marker": {marker}, "max-parts": {strconv.Itoa(listed)}}
		reply, err := t.ask(ctx, http.MethodGet, at(t.a.URL, query), nil, nil, &list)
		if err != nil || reply.Status/100 != 2 {
			return reply, err
		}
		for _, p := range list.Part {
			i := p.PartNumber - 1
			if i < 0 || i >= len(t.parts) || p.Size != t.section(i).n || strings.Trim(p.ETag, `"`) != t.sum(i) {
				return exchange.Reply{Status: http.StatusConflict}, nil
			}
			t.parts[i] = part{PartNumber: p.PartNumber, ETag: p.ETag}
		}
		if !list.IsTruncated || list.NextPartNumberMarker == marker {
			return reply, nil
		}
		marker = list.NextPartNumberMarker
	}
}

// create begins an upload. What the service says of the file, such as its type,
// is said here.
func (t *transfer) create(ctx context.Context) (exchange.Reply, error) {
	var created struct {
		UploadId string //nolint:revive // S3's name
	}
	clear(t.parts)
	header := slices.DeleteFunc(slices.Clone(t.a.Header), func(f exchange.Field) bool { return isOfObject(f.Name) || strings.EqualFold(f.Name, "Content-Md5") })
	reply, err := t.ask(ctx, http.MethodPost, at(t.a.URL, url.Values{"uploads": {""}}), header, nil, &created)
	if t.id = created.UploadId; err == nil && reply.Status/100 == 2 && t.id == "" {
		err = errors.New("answer to the beginning of an upload has no id")
	}
	return reply, err
}

func (t *transfer) put(ctx context.Context, i int) (exchange.Reply, error) {
	a := t.request(http.MethodPut, at(t.a.URL, url.Values{"uploadId": {t.id}, "partNumber": {strconv.Itoa(i + 1)}}), nil)
	a.Files, a.Idle = []exchange.Insert{{File: t.section(i)}}, cmp.Or(t.a.Idle, finishTime)
	reply, err := t.send(ctx, a)
	t.parts[i] = part{PartNumber: i + 1, ETag: reply.Header.Get("ETag")}
	if err == nil && reply.Status/100 == 2 && t.parts[i].ETag == "" {
		err = errors.New("answer to a part has no ETag")
	}
	return reply, err
}

// complete makes one object of the parts. S3 may say 200 before it knows. Parts
// that it does not take are sent anew by the next attempt.
func (t *transfer) complete(ctx context.Context) (exchange.Reply, error) {
	list := struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []part
	}{Part: t.parts}
	body, err := xml.Marshal(list)
	if err != nil {
		return exchange.Reply{}, err
	}
	header := slices.DeleteFunc(slices.Clone(t.a.Header), func(f exchange.Field) bool { return !isOfObject(f.Name) })
	var answer struct{ XMLName xml.Name }
	reply, err := t.ask(ctx, http.MethodPost, at(t.a.URL, url.Values{"uploadId": {t.id}}), header, body, &answer)
	switch {
	case answer.XMLName.Local == "Error":
		reply.Status = http.StatusInternalServerError
	case err == nil && reply.Status == http.StatusBadRequest:
		reply.Held = true
		t.abort(ctx)
	}
	return reply, err
}

// isOfObject reports whether a header asks about the object that is to be.
func isOfObject(name string) bool {
	return strings.EqualFold(name, "If-None-Match") || strings.EqualFold(name, "If-Match")
}

// abort has S3 forget the parts. When it does not hear, the bucket's own rules do.
func (t *transfer) abort(ctx context.Context) {
	_, _ = t.ask(ctx, http.MethodDelete, at(t.a.URL, url.Values{"uploadId": {t.id}}), nil, nil, nil)
	t.id = ""
}

// ask makes a request and reads the answer of a success into a struct.
func (t *transfer) ask(ctx context.Context, method string, u *url.URL, header exchange.Headers, body []byte, answer any) (exchange.Reply, error) {
	a := t.request(method, u, header)
	a.Body, a.Deadline = body, time.Now().Add(cmp.Or(t.a.Idle, finishTime))
	if body != nil {
		a.Deadline = time.Now().Add(max(t.a.Idle, finishTime)) // the parts are put together
	}
	reply, err := t.send(ctx, a)
	if err == nil && reply.Status/100 == 2 && answer != nil {
		_ = xml.Unmarshal(reply.Body, answer) // what it lacks is missed
	}
	return reply, err
}

func (t *transfer) request(method string, u *url.URL, header exchange.Headers) *exchange.Attempt {
	a := &exchange.Attempt{ID: t.a.ID, Number: t.a.Number, Method: method, URL: u, Host: t.a.Host}
	a.Header = append(a.Header, header...)
	a.Header.Set("User-Agent", t.a.Header.Get("User-Agent"))
	return a
}

func at(u *url.URL, query url.Values) *url.URL {
	to := *u
	to.RawQuery = query.Encode()
	return &to
}

// section is what of the file one part holds.
func (t *transfer) section(i int) section {
	from := int64(i) * t.size
	return section{t.a.Files[0].File, from, min(t.size, t.a.Length()-from)}
}

// sum is what S3 calls a part that it has not encrypted; "" when it cannot be read.
func (t *transfer) sum(i int) string {
	h := md5.New()
	s := t.section(i)
	if _, err := io.CopyN(h, io.NewSectionReader(s, 0, s.n), s.n); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A section is a part of a file, as a file.
type section struct {
	exchange.File
	at, n int64
}

// Size is the section's.
func (s section) Size() int64 { return s.n }

// ReadAt implements [io.ReaderAt].
func (s section) ReadAt(b []byte, at int64) (int, error) {
	if at >= s.n {
		return 0, io.EOF
	}
	n, err := s.File.ReadAt(b[:min(int64(len(b)), s.n-at)], s.at+at)
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}
