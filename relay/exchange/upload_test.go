package exchange

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
)

// disk is a file as the recordings give it out.
type disk struct {
	*os.File
	info os.FileInfo
}

func onDisk(t testing.TB, size int) (*disk, []byte) {
	t.Helper()
	block := make([]byte, 4099)
	rand.New(rand.NewSource(int64(size))).Read(block)
	body := bytes.Repeat(block, size/len(block)+1)[:size]
	return openOn(t, body, size), body
}

// large is a file of zeros that is larger than what the kernel holds of it.
func large(t testing.TB) *disk { t.Helper(); return openOn(t, nil, 16<<20) }

func openOn(t testing.TB, body []byte, size int) *disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.wav")
	if err := errors.Join(os.WriteFile(path, body, 0o600), os.Truncate(path, int64(size))); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return &disk{f, info}
}

// Size implements [File].
func (d *disk) Size() int64 { return d.info.Size() }

var errOther = errors.New("is another file")

// Check implements [File].
func (d *disk) Check() error {
	info, err := os.Stat(d.Name())
	switch {
	case err != nil:
		return err
	case !os.SameFile(info, d.info) || info.Size() != d.info.Size() || !info.ModTime().Equal(d.info.ModTime()):
		return errOther
	}
	return nil
}

// carrying is an attempt that carries a file, with some bytes around it.
func carrying(at string, idle time.Duration, files ...File) *Attempt {
	a := &Attempt{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: at, Path: "/"}, Body: []byte("<>"), Idle: idle}
	for _, f := range files {
		a.Files = append(a.Files, Insert{At: 1, File: f})
	}
	return a
}

// eachSender runs a test over the two clients.
func eachSender(t *testing.T, more string, test func(t *testing.T, s Sender)) {
	t.Helper()
	t.Run("own", func(t *testing.T) { test(t, direct(t, more)) })
	t.Run("net/http", func(t *testing.T) {
		s := settings(t, "http://127.0.0.1/", more)
		transport, err := newTransport(s, guard{private: true})
		if err != nil {
			t.Fatal(err)
		}
		sender := &HTTPSender{Transport: transport, MaxResponse: 100, pace: newPace(s.MaxRate)}
		t.Cleanup(sender.closeIdle)
		test(t, sender)
	})
}

func sum(b []byte) string {
	digest := sha256.Sum256(b)
	return hex.EncodeToString(digest[:])
}

func TestFilesArriveWhole(t *testing.T) {
	eachSender(t, "", func(t *testing.T, s Sender) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := sha256.New()
			n, _ := io.Copy(h, r.Body)
			if r.ContentLength != n || len(r.TransferEncoding) > 0 {
				t.Errorf("length %d of %d bytes, %v", r.ContentLength, n, r.TransferEncoding)
			}
			_, _ = io.WriteString(w, hex.EncodeToString(h.Sum(nil)))
		}))
		defer server.Close()
		at := strings.TrimPrefix(server.URL, "http://")
		for _, size := range []int{0, 1, 1000, lastPiece - 1, lastPiece, lastPiece + 1, filePiece + lastPiece, 3*filePiece + 7} {
			f, body := onDisk(t, size)
			for _, files := range [][]File{{f}, {f, f}} { // the second time over a connection that was used
				want := sum([]byte("<" + strings.Repeat(string(body), len(files)) + ">"))
				a := carrying(at, time.Minute, files...)
				reply, err := s.Send(t.Context(), a)
				if err != nil || string(reply.Body) != want {
					t.Errorf("%d bytes, %d files: %s arrives, %v", size, len(files), reply.Body, err)
				}
				h := sha256.New()
				if err := a.CopyBody(h); err != nil || hex.EncodeToString(h.Sum(nil)) != want {
					t.Errorf("%d bytes: copied otherwise, %v", size, err)
				}
			}
		}
	})
}

// A body whose file changes before its end has left is never whole at the far
// end, and the endpoint is not to blame.
func TestAFileThatChangesEndsTheAttempt(t *testing.T) {
	write := func(path string, at int64) error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte("x"), at)
		return errors.Join(err, f.Close())
	}
	for name, change := range map[string]func(d *disk) error{
		"shrinks":        func(d *disk) error { return os.Truncate(d.Name(), d.Size()/2) },
		"empties":        func(d *disk) error { return os.Truncate(d.Name(), 0) },
		"vanishes":       func(d *disk) error { return os.Remove(d.Name()) },
		"grows":          func(d *disk) error { return write(d.Name(), d.Size()) },
		"is overwritten": func(d *disk) error { return write(d.Name(), d.Size()/2) },
		"cannot be read": func(d *disk) error { return d.Close() },
		"is replaced": func(d *disk) error {
			return errors.Join(write(d.Name()+".new", d.Size()-1), os.Rename(d.Name()+".new", d.Name()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachSender(t, "", func(t *testing.T, s Sender) {
				f := large(t)
				whole := make(chan bool, 1)
				at := script(t, func(_ int64, c net.Conn) {
					req, err := http.ReadRequest(bufio.NewReader(c))
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.CopyN(io.Discard, req.Body, 1<<20)
					if err := change(f); err != nil {
						t.Error(err)
					}
					_, err = io.Copy(io.Discard, req.Body)
					whole <- err == nil
				})
				_, err := s.Send(t.Context(), carrying(at.String(), time.Minute, f))
				if _, ok := errors.AsType[*FileError](err); !ok {
					t.Errorf("error %v, want the file's", err)
				}
				if <-whole {
					t.Error("a whole body arrived")
				}
			})
		})
	}
}

// An endpoint that answers before it has read all is believed, whether it ends
// the connection or reads no more.
func TestAnEarlyAnswerIsBelieved(t *testing.T) {
	const refusal = "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno"
	for name, end := range map[string]func(c net.Conn){
		"it keeps the connection":  func(c net.Conn) { _, _ = io.WriteString(c, refusal); _, _ = c.Read(make([]byte, 1)) },
		"it closes the connection": func(c net.Conn) { _, _ = io.WriteString(c, refusal) },
		"after interim answers":    func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("HTTP/1.1 102 \r\n\r\n", 3)+refusal) },
	} {
		t.Run(name, func(t *testing.T) {
			eachSender(t, "", func(t *testing.T, s Sender) {
				at := script(t, func(_ int64, c net.Conn) {
					_, _ = bufio.NewReader(c).ReadString('<')
					end(c)
				})
				f := large(t)
				reply, err := s.Send(t.Context(), carrying(at.String(), time.Minute, f))
				if err != nil || reply.Status != 413 || string(reply.Body) != "no" {
					t.Errorf("status %d %q, %v", reply.Status, reply.Body, err)
				}
			})
		})
	}
}

// An upload lasts as long as bytes move, and no longer than its timeout after
// that.
func TestTheTimeoutCountsFromTheLastByteThatMoved(t *testing.T) {
	const idle, steps = 150 * time.Millisecond, 6
	eachSender(t, "", func(t *testing.T, s Sender) {
		f := large(t)
		var stop sync.WaitGroup
		stop.Add(1)
		at := script(t, func(n int64, c net.Conn) {
			r := bufio.NewReader(c)
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if n > 0 {
				_, _ = io.CopyN(io.Discard, req.Body, 1<<20)
				stop.Wait() // reads no more
				return
			}
			tick := time.NewTicker(idle / 2)
			defer tick.Stop()
			for range steps {
				<-tick.C
				_, _ = io.CopyN(io.Discard, req.Body, req.ContentLength/steps)
			}
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
		})
		began := time.Now()
		if reply, err := s.Send(t.Context(), carrying(at.String(), idle, f)); err != nil || reply.Status != 200 {
			t.Errorf("a slow one: status %d, %v", reply.Status, err)
		}
		if elapsed := time.Since(began); elapsed < 2*idle {
			t.Fatalf("the slow endpoint took %s", elapsed)
		}
		_, err := s.Send(t.Context(), carrying(at.String(), idle, f))
		if !TimedOut(err) {
			t.Errorf("one that stands still: %v", err)
		}
		stop.Done()
	})
}

// Over TLS it is the same: what arrives is whole, and an early answer is believed
// at once, also from an endpoint that reads no more.
func TestUploadsOverTLS(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, err = io.WriteString(c, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
			}
			if err != nil {
				t.Error(err)
			}
			<-release // and reads no more
			_ = c.Close()
			return
		}
		h := sha256.New()
		_, _ = io.Copy(h, r.Body)
		_, _ = io.WriteString(w, hex.EncodeToString(h.Sum(nil)))
	}))
	t.Cleanup(func() { close(release); server.Close() })
	s := direct(t, "[service.tls]\ninsecure_skip_verify = true")
	f, body := onDisk(t, 3<<20)
	for range 2 {
		a := carrying(strings.TrimPrefix(server.URL, "https://"), time.Minute, f)
		a.URL.Scheme = "https"
		if reply, err := s.Send(t.Context(), a); err != nil || string(reply.Body) != sum([]byte("<"+string(body)+">")) {
			t.Errorf("another body arrived, %v", err)
		}
	}
	a := carrying(strings.TrimPrefix(server.URL, "https://"), time.Minute, large(t))
	a.URL.Scheme, a.Method = "https", http.MethodPut
	began := time.Now()
	if reply, err := s.Send(t.Context(), a); err != nil || reply.Status != 401 || time.Since(began) > 20*time.Second {
		t.Errorf("status %d after %s, %v", reply.Status, time.Since(began), err)
	}
}

// Memory does not depend on how long a file is, nor on how many go out at once.
func TestUploadsNeedLittleMemory(t *testing.T) {
	const at, size, most = 4, 64 << 20, 8 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // what is thrown away at once is not looked for here
	end := script(t, func(_ int64, c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	})
	s := direct(t, "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for i := range at {
		f := File(openOn(t, nil, size))
		if i%2 == 1 {
			f = Base64(openOn(t, nil, size/4))
		}
		all.Go(func() {
			if reply, err := s.Send(t.Context(), carrying(end.String(), time.Minute, f)); err != nil || reply.Status != 200 {
				t.Errorf("status %d, %v", reply.Status, err)
			}
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > most {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
}

// Base64 is what the library makes, wherever it is read from.
func TestBase64OfAFile(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 1000, 4097} {
		f, body := onDisk(t, size)
		want := base64.StdEncoding.EncodeToString(body)
		for _, step := range []int64{1, 2, 5, 64, 5000} {
			var got strings.Builder
			for at := int64(0); at < Base64(f).Size(); at += step {
				n := min(step, Base64(f).Size()-at)
				if _, err := io.CopyN(&got, io.NewSectionReader(Base64(f), at, n), n); err != nil {
					t.Fatal(err)
				}
			}
			if got.String() != want {
				t.Fatalf("%d bytes by %d: %q, want %q", size, step, got.String(), want)
			}
		}
	}
}

// What a reused connection ends is sent once more, files included.
func TestAnUploadOverAStaleConnectionIsSentOnceMore(t *testing.T) {
	f, body := onDisk(t, 3<<20)
	got := make(chan string, 2)
	at := script(t, func(n int64, c net.Conn) {
		r := bufio.NewReader(c)
		for i := range 2 {
			req, err := http.ReadRequest(r)
			if err != nil || n == 0 && i == 1 {
				return // as the second request comes
			}
			all, _ := io.ReadAll(req.Body)
			got <- sum(all)
			_, _ = io.WriteString(c, plain)
		}
	})
	s := direct(t, "")
	for range 2 {
		if reply, err := s.Send(t.Context(), carrying(at.String(), time.Minute, f)); err != nil || reply.Status != 200 {
			t.Fatalf("status %d, %v", reply.Status, err)
		}
		if sent := <-got; sent != sum([]byte("<"+string(body)+">")) {
			t.Error("another body arrived")
		}
	}
}

func TestUploadsKeepTheirRate(t *testing.T) {
	eachSender(t, `max_rate = "1MiB"`, func(t *testing.T, s Sender) {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
		defer server.Close()
		began, size := time.Now(), 400<<10
		var both sync.WaitGroup
		for range 2 { // together
			both.Go(func() {
				f, _ := onDisk(t, size/2)
				if _, err := s.Send(t.Context(), carrying(strings.TrimPrefix(server.URL, "http://"), time.Minute, f)); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		const burst = 1 << 20 / 8
		least := time.Duration(size-burst) * time.Second / (1 << 20)
		if elapsed := time.Since(began); elapsed < least*9/10 {
			t.Errorf("%d bytes in %s, want %s at least", size, elapsed, least)
		}
	})
}

// An upload has its timeout for connecting, from when that begins: the hashing of
// a long file may come before it.
func TestAnUploadMayTakeItsTimeoutToConnect(t *testing.T) {
	f, _ := onDisk(t, 1000)
	at := script(t, func(_ int64, c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, plain)
		}
		_, _ = io.Copy(io.Discard, c) // of TLS, too: it shakes no hand
	})
	s := direct(t, "")
	a := carrying(at.String(), time.Minute, f)
	a.Deadline = time.Now().Add(-time.Second)
	if reply, err := s.Send(t.Context(), a); err != nil || reply.Status != 200 {
		t.Errorf("after a long preparation: status %d, %v", reply.Status, err)
	}
	s.closeIdle()
	a = carrying(at.String(), 100*time.Millisecond, f)
	a.URL.Scheme = "https"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := s.Send(ctx, a); !TimedOut(err) || ctx.Err() != nil {
		t.Errorf("an endpoint that does not shake hands: %v", err)
	}
}
