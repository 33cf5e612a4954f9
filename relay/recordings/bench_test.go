package recordings

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// BenchmarkServe measures what a request costs besides HTTP and the sending.
func BenchmarkServe(b *testing.B) {
	r, _ := openTest(b, testConfig(b), Options{})
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = null.Close() })
	r.log = slog.New(slog.NewJSONHandler(null, nil))
	putOld(b, r, "call.wav", testFile(b, "mono.wav"))
	r.Look("call.wav", -1, -1) // as the delivery of the link has done
	for _, bench := range []struct {
		name       string
		start, end float64
	}{{"whole", -1, -1}, {"slice", 1, 2}} {
		b.Run(bench.name, func(b *testing.B) {
			req := httptest.NewRequest(http.MethodGet, r.Link("call.wav", "", time.Now(), bench.start, bench.end), nil)
			req.RemoteAddr = "127.0.0.1:1" // others may not ask so often
			b.ReportAllocs()
			for b.Loop() {
				w := unsent{http.Header{}}
				if r.serve(w, req); w.header.Get("Etag") == "" {
					b.Fatal("refused")
				}
			}
		})
	}
}

// unsent is an answer that goes nowhere.
type unsent struct{ header http.Header }

// Header implements [http.ResponseWriter].
func (w unsent) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (unsent) WriteHeader(int) {}

// Write implements [http.ResponseWriter].
func (unsent) Write(b []byte) (int, error) { return len(b), nil }

// ReadFrom takes a file without reading it, as the kernel would.
func (unsent) ReadFrom(r io.Reader) (int64, error) { return r.(*io.LimitedReader).N, nil }
