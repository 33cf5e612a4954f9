package intake

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"callrelay/queue"
)

// sample is an event of 600 bytes.
const sample = `{"event":"dequeue","queue":"support","uii":"202004220000000000000000000001","segment_id":"2","agent_id":1401,"agent_username":"ann@example.com","agent_externid":"ext-77","agent_phone":"+15550100","agent_team":"gold","ani":"+15551230001","dnis":"+15559870002","call_start":"2020-04-22T00:00:00Z","enqueue_time":"2020-04-22T00:00:04Z","dequeue_time":"2020-04-22T00:00:19Z","duration":185,"sess_duration":166,"queue_duration":15,"call_result":"Connected","agent_disposition":"SALE","agent_notes":"wants a call back on monday","gate_id":42,"term_party":"CALLER","recording":"20200422-1.wav","n":1%09d}`

// onEach runs a benchmark on a queue that forgets at once, which shows the cost
// of intake alone, and on a real one.
func onEach(b *testing.B, run func(b *testing.B, r *relay)) {
	b.Run("queue=none", func(b *testing.B) {
		r := start(b, "")
		run(b, r)
	})
	b.Run("queue=real", func(b *testing.B) {
		q, err := queue.Open(b.Context(), queue.Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		r := prepareOn(b, "", q)
		r.run(b)
		run(b, r)
		r.stop()
		if err := q.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkLines sends events over one pipelined connection.
func BenchmarkLines(b *testing.B) {
	onEach(b, func(b *testing.B, r *relay) {
		c, err := net.Dial("unix", r.path)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		b.ReportAllocs()
		b.ResetTimer()
		go func() {
			w := bufio.NewWriterSize(c, 64<<10)
			for i := range b.N {
				_, _ = fmt.Fprintf(w, sample+"\n", i)
			}
			_ = w.Flush()
		}()
		answers := bufio.NewReaderSize(c, 64<<10)
		for range b.N {
			answer, err := answers.ReadSlice('\n')
			if err != nil || answer[2] != 'a' {
				b.Fatalf("%s %v", answer, err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// BenchmarkRequests posts single events over 32 connections.
func BenchmarkRequests(b *testing.B) {
	const connections = 32
	onEach(b, func(b *testing.B, r *relay) {
		b.ReportAllocs()
		b.ResetTimer()
		var wait sync.WaitGroup
		for i := range connections {
			c := r.dial(b)
			wait.Go(func() { postAll(b, c, i, b.N, connections) })
		}
		wait.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// postAll posts every step-th event from the first on, each when the one before
// is answered.
func postAll(b *testing.B, c *client, first, end, step int) {
	var request []byte
	for i := first; i < end; i += step {
		body := fmt.Sprintf(sample, i)
		request = fmt.Appendf(request[:0], "POST /v1/events HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if _, err := c.Write(request); err != nil {
			b.Error(err)
			return
		}
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil || resp.StatusCode != http.StatusAccepted {
			b.Errorf("%v %v", resp, err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}
