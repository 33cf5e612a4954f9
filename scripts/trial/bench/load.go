package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callrelay/scripts/trial"
)

// unacknowledged is how many events one connection sends ahead of their replies.
const unacknowledged = 4000

// padding makes an event about 600 bytes long, with the members a real one has.
var padding = `,"ani":"+15551230001","dnis":"+15559870002","call_start":"2020-04-22T00:00:00Z","duration":185,` +
	`"agent_id":1401,"agent_username":"ann@example.com","agent_externid":"e-1401","agent_phone":"+15550001401","agent_team":"blue",` +
	`"agent_location":"north","agent_duration":171,"agent_wait_time":4,"agent_wrap_time":12,"queue_duration":9,"gate_id":77,"term_party":"CALLER",` +
	`"agent_disposition":"SALE","call_result":"Connected","agent_notes":"` + strings.Repeat("n", 120) + `"}`

// event appends one event with an id of its own.
func event(dst []byte, prefix string, n int) []byte {
	dst = append(dst, `{"event":"agent_termination","queue":"support","id":"`...)
	dst = append(dst, prefix...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, `","uii":"U`...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, '"')
	return append(dst, padding...)
}

// pipeline sends n events over one newline-delimited connection and returns how long it took until all were acknowledged.
func pipeline(s *session, r *trial.Relay, prefix string, n int) time.Duration {
	l, err := r.Dial()
	s.check(err)
	defer l.Close() //nolint:errcheck // all was answered
	ahead := make(chan struct{}, unacknowledged)
	start := time.Now()
	go func() {
		w := bufio.NewWriterSize(l, 64<<10)
		var line []byte
		for i := range n {
			select {
			case ahead <- struct{}{}:
			default:
				_ = w.Flush()
				ahead <- struct{}{}
			}
			line = append(event(line[:0], prefix, i), '\n')
			_, _ = w.Write(line)
		}
		_ = w.Flush()
	}()
	replies := bufio.NewReaderSize(l, 64<<10)
	for i := range n {
		reply, err := replies.ReadSlice('\n')
		s.check(err)
		if !bytes.HasPrefix(reply, []byte(`{"accepted":true`)) {
			s.Fatalf("event %d: %s", i, reply)
		}
		<-ahead
	}
	return time.Since(start)
}

// posts sends n events as single HTTP requests over 32 connections.
func posts(s *session, client *http.Client, url string, n int, want int) time.Duration {
	const connections = 32
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, connections)
	start := time.Now()
	for range connections {
		wg.Go(func() {
			var body []byte
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				body = event(body[:0], "h", i)
				resp, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != want {
						err = fmt.Errorf("status %d", resp.StatusCode)
					}
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	select {
	case err := <-errs:
		s.check(err)
	default:
	}
	return elapsed
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// services returns n services named prefix0… with all members in a JSON body, bound to everything.
func service(name, url, more string) string {
	return fmt.Sprintf("[[service]]\nname = %q\nurl = %q\n%s\njson = '''{\"agentId\":\"#agent_id#\",\"agentUsername\":\"#agent_username#\",\"ani\":\"#ani#\",\"dnis\":\"#dnis#\","+
		"\"callStart\":\"#call_start#\",\"duration\":\"#duration|number#\",\"team\":\"#agent_team#\",\"location\":\"#agent_location#\",\"notes\":\"#agent_notes#\","+
		"\"disposition\":\"#agent_disposition#\",\"result\":\"#call_result#\",\"uii\":\"#uii#\",\"waited\":\"#queue_duration|number#\"}'''\n", name, url, more) + trial.Binding(name)
}
