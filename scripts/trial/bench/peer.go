package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// syslogNG is a peer on the same work: reliable disk buffer, 64 workers, one event a request.
const syslogNG = `@version: 3.38
options { keep-hostname(yes); stats-freq(0); };
source s { unix-stream(%[1]q flags(no-parse) max-connections(10) log-iw-size(20000) log-fetch-limit(1000)); };
destination d { http(url(%[2]q) method("POST") headers("Content-Type: application/json") body("${MSG}") workers(64) batch-lines(1)
  disk-buffer(reliable(yes) disk-buf-size(2147483648) mem-buf-size(163840000) dir(%[3]q))); };
log { source(s); destination(d); flags(flow-control); };
`

// measurePeer measures syslog-ng on the same work, where it is installed.
func measurePeer(s *session, t *table) {
	path, err := exec.LookPath("syslog-ng")
	if err != nil {
		t.figure("syslog-ng, the same work", "not installed", "")
		return
	}
	k := newSink(s)
	dir := filepath.Join(s.dir, "syslog-ng")
	s.check(os.MkdirAll(dir, 0o700))
	socket := filepath.Join(dir, "in.sock")
	conf := filepath.Join(dir, "syslog-ng.conf")
	s.check(os.WriteFile(conf, fmt.Appendf(nil, syslogNG, socket, k.url, dir), 0o600))
	cmd := exec.Command(path, "-F", "--no-caps", "-f", conf, "-R", filepath.Join(dir, "persist"), "-c", filepath.Join(dir, "ctl"), "-p", filepath.Join(dir, "pid"))
	s.check(cmd.Start())
	s.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var conn net.Conn
	for deadline := time.Now().Add(10 * time.Second); conn == nil; time.Sleep(10 * time.Millisecond) {
		if conn, err = net.Dial("unix", socket); err != nil && time.Now().After(deadline) {
			s.Fatalf("syslog-ng does not listen: %w", err)
		}
	}
	defer conn.Close() //nolint:errcheck // only its time matters
	n := s.count(100_000)
	start := time.Now()
	w := bufio.NewWriterSize(conn, 64<<10)
	for i := range n {
		_, err := w.Write(append(event(nil, "s", i), '\n'))
		s.check(err)
	}
	s.check(w.Flush())
	t.rate("syslog-ng, reliable disk buffer, 64 workers", perSecond(n, k.await(s, n, start, 2*time.Minute)), s.limits.client, "plain client; nothing fsynced")
}
