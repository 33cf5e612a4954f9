package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"callrelay/scripts/trial"
)

const (
	ringRate  = 50 // calls a second
	burstTime = 2 * time.Second
	burstSize = 20 // calls begun in that time
)

// measureSources plays real transcripts with times and channels of their own, as Asterisk's manager interface and FreeSWITCH's event
// socket, and measures from the call server's stamp to the arrival.
func measureSources(s *session, t *table) {
	disk := s.appendLags(s.count(2000))
	t.figure("one fdatasync, p50 / p99", ms(middle(disk))+" / "+ms(p99(disk)), "the disk itself")
	k := newStampSink(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	s.Cleanup(func() { _ = l.Close() })
	n := max(200, s.count(3000))
	transcript := unzipped(s, "relay/source/asterisk/testdata/calls/plain.ami.gz")
	go manager(l, transcript, n)
	esl := trial.FreeAddress(s)
	speakESL(s, esl)
	trial.Start(s, s.binary, fmt.Sprintf(`[[service]]
name = "crm"
url = %q
json = '{"event":"#event#","id":"#event_id#","start":"#segment_start#"}'
concurrency = 64
[[binding]]
event = ["call_start", "queue_enter", "agent_ring", "agent_ring_end", "dequeue", "agent_connect", "agent_termination", "call_end", "post_call"]
service = "crm"
[[source]]
name = "pbx"
type = "asterisk"
address = %q
user = "relay"
password = "secret"
[[source]]
name = "fs"
type = "freeswitch"
address = %q
password = "ClueCon"
`, k.url, l.Addr(), esl))
	bridges := k.await(s, "fs", "agent_connect", burstSize)
	t.figure(fmt.Sprintf("FreeSWITCH, %d calls in %v: bridge to receiver, p50 / longest", burstSize, burstTime), ms(middle(bridges))+" / "+ms(bridges[len(bridges)-1]), "goal: 100 ms at most")
	rings := k.await(s, "pbx", "agent_ring", n)
	t.figure(fmt.Sprintf("Asterisk, %d calls at %d/s: ring to receiver, p50 / p99", n, ringRate), ms(middle(rings))+" / "+ms(p99(rings)),
		"goal: 3 ms / the disk's and 10 ms")
	t.figure("… p99 beyond the disk's", ms(p99(rings)-p99(disk)), "goal: 10 ms")
}

func middle(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

func unzipped(s *session, name string) []byte {
	f, err := os.Open(name)
	s.check(err)
	defer f.Close() //nolint:errcheck // it was only read
	z, err := gzip.NewReader(f)
	s.check(err)
	data, err := io.ReadAll(z)
	s.check(err)
	return data
}

// speakESL plays a burst of queue calls.
func speakESL(s *session, address string) {
	binary := filepath.Join(s.dir, "eventsocket")
	out, err := exec.Command("go", "build", "-o", binary, "./scripts/trial/eventsocket").CombinedOutput()
	if err != nil {
		s.Fatalf("%w\n%s", err, out)
	}
	ctx, cancel := context.WithCancel(s.Context())
	cmd := exec.CommandContext(ctx, binary, "-listen", address, "-rounds", itoa(burstSize), "-together", itoa(burstSize), "-burst", burstTime.String(),
		"relay/source/freeswitch/testdata/esl/q_caller_hangs_up.plain.gz")
	s.check(cmd.Start())
	s.Cleanup(func() { cancel(); _ = cmd.Wait() })
}

// manager is a manager interface that plays so many copies of a call to whoever logs in.
func manager(l net.Listener, transcript []byte, calls int) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close() //nolint:errcheck // the peer has gone
	fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n")
	action := map[string]string{}
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ": "); ok {
			action[name] = value
			continue
		}
		id := "ActionID: " + action["ActionID"] + "\r\n"
		switch action["Action"] {
		case "Login":
			fmt.Fprint(c, "Response: Success\r\n\r\n")
		case "Ping":
			fmt.Fprintf(c, "Response: Success\r\n%sPing: Pong\r\nTimestamp: %.6f\r\n\r\n", id, float64(time.Now().UnixMicro())/1e6)
		case "CoreShowChannels":
			fmt.Fprintf(c, "Event: CoreShowChannelsComplete\r\n%s\r\n", id)
			go play(c, transcript, calls)
		}
		clear(action)
	}
}

// due is an event, and when it is to be sent.
type due struct {
	at   time.Time
	text []byte
}

// play sends the events of all copies at the pace of their stamps.
func play(w io.Writer, transcript []byte, calls int) {
	var all []due
	base, began := float64(0), time.Now().Add(3*time.Second+5*time.Millisecond*time.Duration(calls)) // all is ready by then
	for message := range bytes.SplitSeq(bytes.ReplaceAll(transcript, []byte("\r"), nil), []byte("\n\n")) {
		stamp := stampLine.FindSubmatch(message)
		if stamp == nil {
			continue
		}
		at, _ := strconv.ParseFloat(string(stamp[1]), 64)
		if base == 0 {
			base = at
		}
		for n := range calls {
			when := began.Add(time.Second*time.Duration(n)/ringRate + time.Duration((at-base)*1e6)*time.Microsecond)
			text := stampLine.ReplaceAll(message, fmt.Appendf(nil, "Timestamp: %d.%06d", when.Unix(), when.Nanosecond()/1000))
			text = identities.ReplaceAllFunc(text, func(id []byte) []byte { return fmt.Appendf(nil, "%d.%d%s", began.Unix(), n+1, id[len(id)-2:]) })
			text = serials.ReplaceAllFunc(text, func(id []byte) []byte { return fmt.Appendf(nil, "-%06x%s", n, id[len(id)-2:]) })
			all = append(all, due{when, append(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), "\r\n\r\n"...)})
		}
	}
	slices.SortStableFunc(all, func(a, b due) int { return a.at.Compare(b.at) })
	for _, e := range all {
		time.Sleep(time.Until(e.at))
		if _, err := w.Write(e.text); err != nil {
			return
		}
	}
}

var (
	stampLine  = regexp.MustCompile(`Timestamp: ([0-9.]+)`)
	identities = regexp.MustCompile(`(?m)\b1[0-9]{9}\.[0-9]{2,4}$`)
	serials    = regexp.MustCompile(`(?m)-[0-9a-f]{8}$|-[0-9a-f]{12}$`)
)

// A stampSink keeps how long each event took to arrive.
type stampSink struct {
	url  string
	mu   sync.Mutex
	lags map[string][]time.Duration // by source and event
}

func newStampSink(s *session) *stampSink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	k := &stampSink{url: "http://" + l.Addr().String(), lags: map[string][]time.Duration{}}
	server := &http.Server{Handler: k}
	go server.Serve(l) //nolint:errcheck // it ends when it is closed
	s.Cleanup(func() { _ = server.Close() })
	return k
}

var arrived = regexp.MustCompile(`"event":"([a-z_]+)","id":"([a-z]+)/.*?([0-9]*)","start":"(.*)"`)

// ServeHTTP takes one event. The ring's stamp is the last part of its id.
func (k *stampSink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	body, _ := io.ReadAll(r.Body)
	m := arrived.FindSubmatch(body)
	if m == nil {
		return
	}
	micros, _ := strconv.ParseInt(string(m[3]), 10, 64)
	at := time.UnixMicro(micros)
	if start, err := time.Parse("2006-01-02 15:04:05.0000", string(m[4])); err == nil {
		at = start
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	name := string(m[2]) + " " + string(m[1])
	k.lags[name] = append(k.lags[name], now.Sub(at))
}

// await waits for so many events and returns how long they took, the shortest first.
func (k *stampSink) await(s *session, source, event string, n int) []time.Duration {
	for deadline := time.Now().Add(time.Minute + time.Second*time.Duration(n)/ringRate); ; time.Sleep(10 * time.Millisecond) {
		k.mu.Lock()
		lags := slices.Clone(k.lags[source+" "+event])
		k.mu.Unlock()
		if len(lags) >= n {
			slices.Sort(lags)
			return lags
		}
		if time.Now().After(deadline) {
			s.Fatalf("%d of %d %s %s arrived", len(lags), n, source, event)
		}
	}
}
