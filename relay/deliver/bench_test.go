package deliver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/exchange"
)

// sink is an endpoint that counts.
func sink(b *testing.B) (url string, count *atomic.Int64) {
	count = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		count.Add(1)
	}))
	b.Cleanup(srv.Close)
	return srv.URL, count
}

// BenchmarkDeliver measures deliveries that wait in a real queue, to one service
// with 32 places.
func BenchmarkDeliver(b *testing.B) {
	url, count := sink(b)
	quiet := func(o *Options) { o.Log = slog.New(slog.DiscardHandler) }
	r := rigged(b, service("crm", url, "concurrency = 32"), quiet)
	if err := r.Pause("crm", "to fill the queue"); err != nil {
		b.Fatal(err)
	}
	for n := 0; n < b.N; {
		batch := make([]queue.Record, 0, 1000)
		for ; n < b.N && len(batch) < cap(batch); n++ {
			batch = append(batch, record("crm", fmt.Sprint("id-", n), `,"pad":"`+strings.Repeat("x", 500)+`"`))
		}
		r.write(batch...)
	}
	b.ResetTimer()
	if err := r.Resume("crm"); err != nil {
		b.Fatal(err)
	}
	r.until("all are delivered", func() bool { return count.Load() == int64(b.N) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}

// BenchmarkPlainClient is what net/http alone reaches with as many connections.
func BenchmarkPlainClient(b *testing.B) {
	url, _ := sink(b)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	body := strings.Repeat("x", 20)
	var left atomic.Int64
	left.Store(int64(b.N))
	var work sync.WaitGroup
	b.ResetTimer()
	for range 32 {
		work.Go(func() {
			for left.Add(-1) >= 0 {
				resp, err := client.Post(url, "application/json", strings.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	work.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}

// BenchmarkAttempt is what an attempt costs beside the exchange itself.
func BenchmarkAttempt(b *testing.B) {
	s := tableOf(b, b.TempDir(), service("crm", "http://127.0.0.1/", "")).Service("crm")
	setup := newSetup(s, environment{recordings: noRecordings{}, userAgent: "relay/1"}, nil)
	setup.sender = exchange.SenderFunc(func(context.Context, *exchange.Attempt) (exchange.Reply, error) {
		return exchange.Reply{Status: 200}, nil
	})
	rec := record("crm", "id-1", `,"pad":"`+strings.Repeat("x", 500)+`"`)
	b.ReportAllocs()
	for b.Loop() {
		e, err := call.Parse(rec.Body, rec.ID)
		if err != nil {
			b.Fatal(err)
		}
		a, _, err := setup.prepare(e, 1, testTime)
		if err != nil {
			b.Fatal(err)
		}
		if v, _, _ := setup.exchange(b.Context(), a, time.Now()); v.outcome != Delivered {
			b.Fatal(v.err)
		}
	}
}
