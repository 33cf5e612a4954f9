package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

// nginxConf serves the same folder, with a line in the access log for each request, as the relay writes one.
const nginxConf = `daemon off;
worker_processes auto;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log %[1]s/access.log;
  sendfile on;
  tcp_nopush on;
  types { audio/wav wav; }
  keepalive_requests 1000000000;
  client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;
  server { listen %[2]s; location / { root %[3]s; } }
}
`

// measureServing serves the same files by the relay, which checks a signature, and by nginx, which checks nothing, where that is installed.
func measureServing(s *session, t *table) {
	at := trial.FreeAddress(s)
	receiver := trial.NewReceiver(s)
	r := trial.Start(s, s.binary, recordings(at, "")+fmt.Sprintf("[[service]]\nname = \"links\"\nurl = %q\ntext = \"#recording_url#\"\n", receiver.URL)+trial.Binding("links"))
	peer := startNginx(s, r.Path("recordings"))
	const mib = 1 << 20
	for _, size := range []int{64 << 10, 256 << 10, mib, 5 * mib} {
		name := fmt.Sprintf("%d.wav", size)
		s.check(os.WriteFile(filepath.Join(r.Path("recordings"), name), trial.Wave((size-trial.WaveHeader)/2), 0o644))
		link := linkOf(s, r, receiver, name, "")
		s.serve(t, "whole recordings of "+itoa(size>>10)+" KiB", get(link), at, get("/"+name), peer, "0.7")
	}
	for _, seconds := range []int{4, 64} {
		name, bytes := fmt.Sprintf("%d.wav", 5*mib), seconds*2*trial.WaveRate
		link := linkOf(s, r, receiver, name, fmt.Sprintf(`,"recording_start":10,"recording_end":%d`, 10+seconds))
		same := get("/"+name, fmt.Sprintf("Range: bytes=%d-%d", mib, mib+bytes-1))
		s.serve(t, "slices of "+itoa(bytes>>10)+" KiB", get(link), at, same, peer, "0.5")
	}
}

// linkOf has a link delivered, and returns its path and query.
func linkOf(s *session, r *trial.Relay, at *trial.Receiver, name, more string) string {
	before, _ := at.Total()
	r.Accept(fmt.Sprintf(`{"event":"agent_termination","recording":%q%s}`, name, more))
	r.Until("the link arrives", func() bool { n, _ := at.Total(); return n > before })
	link, err := url.Parse(at.Arrivals()[before].Body)
	s.check(err)
	return link.RequestURI()
}

// startNginx serves a folder and returns the address, "" when nginx is not installed.
func startNginx(s *session, folder string) string {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return ""
	}
	dir, at := filepath.Join(s.dir, "nginx"), trial.FreeAddress(s)
	s.check(os.MkdirAll(dir, 0o700))
	conf := fmt.Appendf(nil, nginxConf, dir, at, folder)
	if os.Getuid() == 0 {
		conf = append([]byte("user root;\n"), conf...) // the folder is nobody else's
	}
	file := filepath.Join(dir, "nginx.conf")
	s.check(os.WriteFile(file, conf, 0o600))
	cmd := exec.Command(path, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file)
	s.check(cmd.Start())
	s.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			_ = conn.Close()
			return at
		}
		if time.Now().After(deadline) {
			s.Fatalf("nginx does not listen: %w", err)
		}
	}
}

// get is a request, as it is sent.
func get(target string, headers ...string) []byte {
	lines := append([]string{"GET " + target + " HTTP/1.1", "Host: localhost"}, headers...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// serve measures both servers in turns and adds the relay's rate beside that of nginx.
func (s *session) serve(t *table, what string, request []byte, at string, peerRequest []byte, peer, goal string) {
	const rounds = 7
	turn := time.Duration(max(0.2, s.scale) * float64(time.Second))
	s.fetches(at, request, turn/5) // warm
	var rates, peers []float64
	for range rounds {
		rates = append(rates, s.fetches(at, request, turn))
		if peer != "" {
			peers = append(peers, s.fetches(peer, peerRequest, turn))
		}
	}
	if peer == "" {
		t.rate(what, median(rates), 0, "nginx is not installed")
		return
	}
	t.rate(what, median(rates), median(peers), "nginx, unchecked; goal: "+goal)
}
