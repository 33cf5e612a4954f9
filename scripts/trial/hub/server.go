package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"callrelay/scripts/examples/hub"
	"callrelay/scripts/trial"
)

// userOfParis is what the example says of one edge.
var userOfParis = regexp.MustCompile(`(?s)      \{ user: paris.*?\n      \} \}\n`)

// server is the hub: a nats-server in a process of its own.
type server struct {
	stage   *stage
	dir     string
	leaf    string // host:port
	monitor string
	env     []string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// newServer starts a hub that knows edges of these names. The password of each is
// its name, with a word before.
func newServer(s *stage, dir string, names []string) *server {
	h := &server{stage: s, dir: dir, leaf: trial.FreeAddress(s), monitor: trial.FreeAddress(s)}
	if out, err := exec.Command("go", "build", "-o", h.path("nats-server"), "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		s.Fatalf("build nats-server: %v\n%s", err, out)
	}
	if err := trial.WriteCertificates(dir); err != nil {
		s.Fatalf("%v", err)
	}
	h.configure(names)
	h.start()
	s.Cleanup(h.kill)
	return h
}

func (h *server) path(name string) string { return filepath.Join(h.dir, name) }

// configure writes the example with ports that are free and more edges.
func (h *server) configure(names []string) {
	block := userOfParis.FindString(hub.ServerConfig)
	if block == "" {
		h.stage.Fatalf("the example has no user paris")
	}
	var users strings.Builder
	for _, name := range names {
		users.WriteString(strings.ReplaceAll(strings.Replace(block, "$HUB_PARIS", strconv.Quote(password(name)), 1), "paris", name))
	}
	text := strings.Replace(hub.ServerConfig, block, block+users.String(), 1)
	text = strings.Replace(text, "0.0.0.0:7422", h.leaf, 1)
	text = strings.Replace(text, "127.0.0.1:4222", trial.FreeAddress(h.stage), 1)
	text += fmt.Sprintf("\nhttp: %q\n", h.monitor)
	if err := os.WriteFile(h.path("nats-server.conf"), []byte(text), 0o600); err != nil {
		h.stage.Fatalf("%v", err)
	}
	h.env = os.Environ()
	for name, value := range map[string]string{
		"DIR": h.path("js"), "CERT": h.path("cert.pem"), "KEY": h.path("key.pem"),
		"OPERATOR": password("operator"), "BERLIN": password("berlin"), "PARIS": password("paris"),
	} {
		h.env = append(h.env, "HUB_"+name+"="+strconv.Quote(value))
	}
}

func password(name string) string { return "word of " + name }

// start starts the process; after a kill it takes up its folder again.
func (h *server) start() {
	log, err := os.OpenFile(h.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.stage.Fatalf("%v", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	h.cmd = exec.Command(h.path("nats-server"), "-c", h.path("nats-server.conf"))
	h.cmd.Env, h.cmd.Stdout, h.cmd.Stderr = h.env, log, log
	if err := h.cmd.Start(); err != nil {
		h.stage.Fatalf("start hub: %v", err)
	}
	cmd, ended := h.cmd, make(chan struct{})
	h.ended = ended
	go func() { _ = cmd.Wait(); close(ended) }()
	h.stage.until("the hub is up", 30*time.Second, func() bool {
		select {
		case <-ended:
			text, _ := os.ReadFile(h.path("log"))
			h.stage.Fatalf("the hub ended at start:\n%s", text)
		default:
		}
		_, err := h.ask("/healthz")
		return err == nil
	})
}

func (h *server) kill() {
	h.signal(syscall.SIGKILL)
	<-h.ended
}

func (h *server) signal(s syscall.Signal) { _ = h.cmd.Process.Signal(s) }

func (h *server) ask(path string) (map[string]any, error) {
	resp, err := http.Get("http://" + h.monitor + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	var v map[string]any
	return v, json.NewDecoder(resp.Body).Decode(&v)
}

// stored is how many records a stream of the hub has.
func (h *server) stored(stream string) int {
	v, err := h.ask("/jsz?accounts=true&streams=true")
	if err != nil {
		return -1
	}
	for _, account := range list(v, "account_details") {
		for _, one := range list(account, "stream_detail") {
			if state, ok := one["state"].(map[string]any); ok && one["name"] == stream {
				n, _ := state["messages"].(float64)
				return int(n)
			}
		}
	}
	return -1
}

func list(v map[string]any, key string) []map[string]any {
	values, _ := v[key].([]any)
	var maps []map[string]any
	for _, value := range values {
		if m, ok := value.(map[string]any); ok {
			maps = append(maps, m)
		}
	}
	return maps
}

// resident is the memory that a process has, in KiB.
func resident(t trial.T, pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("%v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatalf("%v", err)
			}
			return n
		}
	}
	return 0
}
