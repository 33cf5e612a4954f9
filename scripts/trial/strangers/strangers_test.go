package strangers

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

const (
	token    = "a-token-that-nobody-guesses-0123456789"
	maxMore  = 64.0 // MiB that all strangers together may make the relay hold
	maxDelay = time.Second
)

// long reports whether the trial is to be run in full.
func long() bool { return os.Getenv("STRANGERS") == "long" }

// crowdChild is the whole of a process that is a crowd on one listener, so that
// its thousands of goroutines do not hold up those that measure. It ends with
// its parent.
func crowdChild(network, address string) {
	each, _ := strconv.Atoi(os.Getenv("STRANGERS_EACH"))
	kinds := socketKinds()
	if network == "tcp" {
		// These stand for other machines, whose work is not done by this one's processors.
		_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, 15)
		kinds = natsKinds()
		if unread := os.Getenv("STRANGERS_UNREAD"); unread != "" {
			kinds = httpKinds(unread)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = os.Stdin.Read(make([]byte, 1)); cancel() }() // until its parent lets go
	crowd(ctx, network, address, kinds, each)
}

// startCrowd runs crowdChild: on the socket as nobody, where that can be. On a
// listener that speaks HTTP, those who read nothing ask for unread.
func startCrowd(t *testing.T, network, address, unread string, each int) (end func()) {
	t.Helper()
	cmd := exec.Command(readableTest(t))
	cmd.Env = append(os.Environ(), "STRANGERS_NETWORK="+network, "STRANGERS_ADDRESS="+address,
		"STRANGERS_UNREAD="+unread, fmt.Sprint("STRANGERS_EACH=", each))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if network == "unix" && os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = stdin.Close(); _ = cmd.Wait() }
}

// readableTest copies this binary to where nobody can reach it.
func readableTest(t *testing.T) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "test")
	own, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(copied, own, 0o755)
	}
	for dir := filepath.Dir(copied); err == nil && dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestCrowdsOnEveryListener(t *testing.T) {
	each, lasting := 8, 1500*time.Millisecond
	if long() {
		each, lasting = 1024, 40*time.Second
	}
	intake, recordings, queue := trial.FreeAddress(t), trial.FreeAddress(t), trial.FreeAddress(t)
	r := trial.New(t, binary, "")
	r.Configure(fmt.Sprintf(`[queue]
dir = "queue"
listen = %q
[recordings]
dir = "recordings"
url = "http://%s/recordings"
listen = %q
keys = [{ id = "k1", secret = "0123456789012345678901234567890123456789" }]
[[service]]
name = "crm"
url = "http://127.0.0.1:9/"
active = false
[[binding]]
event = "call_end"
service = "crm"
`, queue, recordings, recordings))
	edit(t, r.Path("relay.toml"), "[intake]\n", fmt.Sprintf("[intake]\nsocket_mode = \"0666\"\nlisten = %q\ntoken = %q\n", intake, token))
	if err := os.Chmod(r.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.Start()
	if delay := send(t, r.Path("relay.sock"), 0); delay > maxDelay {
		t.Fatalf("an event takes %s before anybody comes", delay)
	}
	before := resident(t, r.Pid())
	ends := []func(){startCrowd(t, "unix", r.Path("relay.sock"), "", each)}
	for address, unread := range map[string]string{intake: "/", recordings: "/recordings/x", r.Admin: "/metrics", queue: ""} {
		ends = append(ends, startCrowd(t, "tcp", address, unread, each))
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	var worst, worstHealth, worstPost time.Duration
	most, descriptors := before, 0
	n := 1
	for ; ctx.Err() == nil; n++ {
		worst = max(worst, send(t, r.Path("relay.sock"), n))
		worstPost = max(worstPost, post(t, intake, n))
		worstHealth = max(worstHealth, health(t, r.Admin))
		most, descriptors = max(most, resident(t, r.Pid())), max(descriptors, openFiles(t, r.Pid()))
	}
	for _, end := range ends {
		end()
	}
	record("every listener at once", fmt.Sprintf("%d peers of each kind (silent, refused, half-sending, not reading) on each of five listeners for %s, coming again", each, lasting),
		fmt.Sprintf("0 of %d events of another user later than %s, those with the token %s, health %s; memory %+.0f MiB; at most %d descriptors; no breaker opens",
			n, worst.Round(time.Millisecond), worstPost.Round(time.Millisecond), worstHealth.Round(time.Millisecond), most-before, descriptors))
	if worst > maxDelay && os.Geteuid() == 0 {
		t.Errorf("an event of another user took %s", worst)
	}
	if most-before > maxMore {
		t.Errorf("%.0f MiB more are held, at most %.0f", most-before, maxMore)
	}
	if got := r.Metric(`relay_breaker_state{service="crm"}`); got != "0" {
		t.Errorf("breaker state %s, want 0", got)
	}
	if got := r.Metric("relay_descriptors_exhausted_total"); got != "0" {
		t.Errorf("%s descriptors were wanting", got)
	}
}

func TestTokensOfALargeFolder(t *testing.T) {
	files := 2000
	if long() {
		files = 200_000
	}
	for _, access := range []string{"signed", "anonymous"} {
		t.Run(access, func(t *testing.T) {
			address := trial.FreeAddress(t)
			r := trial.New(t, binary, fmt.Sprintf(`[recordings]
dir = "recordings"
url = "http://%s/recordings"
listen = %q
access = %q
keys = [{ id = "k1", secret = "0123456789012345678901234567890123456789" }]
`, address, address, access))
			dir := r.Path("recordings/2026/27")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for i := range files {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("recording-", i, ".wav")), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r.Start()
			before := resident(t, r.Pid())
			var conns []net.Conn
			for range 300 {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close() //nolint:errcheck // nothing was written
				conns = append(conns, c)
			}
			began := time.Now()
			for _, c := range conns {
				var id [16]byte
				_, _ = rand.Read(id[:])
				_, _ = fmt.Fprintf(c, "GET /recordings/2026/27/%s HTTP/1.1\r\nHost: x\r\n\r\n", base64.RawURLEncoding.EncodeToString(id[:]))
			}
			statuses := map[string]int{}
			for _, c := range conns {
				_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
				line, _ := bufio.NewReader(c).ReadString('\n')
				statuses[strings.TrimSpace(line)]++
			}
			elapsed, more := time.Since(began), resident(t, r.Pid())-before
			opened := statuses["HTTP/1.1 200 OK"]
			record("recording server, access = "+access, fmt.Sprintf("300 requests of unknown tokens at once, a folder of %d files", files),
				fmt.Sprintf("%d; answered within %s, memory %+.0f MiB", opened, elapsed.Round(time.Millisecond), more))
			if more > 32 || statuses[""] > 0 || opened > 0 {
				t.Errorf("%.0f MiB more, %d without an answer", more, statuses[""])
			}
			if elapsed > 2*time.Second && long() {
				t.Errorf("answered after %s", elapsed)
			}
		})
	}
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// send has an event taken by the socket and returns how long that took.
func send(t *testing.T, path string, n int) time.Duration {
	t.Helper()
	began := time.Now()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Errorf("event %d: %v", n, err)
		return time.Hour
	}
	defer c.Close() //nolint:errcheck // the answer was read
	_ = c.SetDeadline(began.Add(20 * time.Second))
	_, _ = fmt.Fprintf(c, "{\"event\":\"call_end\",\"id\":\"socket-%d\"}\n", n)
	if line, err := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, `"accepted":true`) {
		t.Errorf("event %d is answered %q, %v", n, line, err)
	}
	return time.Since(began)
}

// post has an event taken by the loopback listener, with the token.
func post(t *testing.T, address string, n int) time.Duration {
	t.Helper()
	began := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/events",
		strings.NewReader(fmt.Sprintf(`{"event":"call_end","id":"loopback-%d"}`, n)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
	req.Close = true // a new connection each time
	return status(t, req, http.StatusAccepted, began)
}

func health(t *testing.T, address string) time.Duration {
	t.Helper()
	began := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	return status(t, req, http.StatusOK, began)
}

func status(t *testing.T, req *http.Request, want int, began time.Time) time.Duration {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s: %v", req.URL.Path, err)
		return time.Since(began)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("%s: %d, want %d", req.URL.Path, resp.StatusCode, want)
	}
	return time.Since(began)
}

// resident is the memory of a process in MiB.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return kib / 1024
}

func openFiles(t *testing.T, pid int) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
