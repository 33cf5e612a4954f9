package faults

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// An archive is an endpoint that takes recordings: it refuses every third request, in turn before it has read it and
// after, and keeps the sums of what arrived whole.
type archive struct {
	mu       sync.Mutex
	requests int
	sums     map[string]string // by service and Webhook-Id
	wrong    int               // arrived whole, and another sum than before
}

// ServeHTTP takes a recording, as form data or as the body.
func (a *archive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests++
	n := a.requests
	a.mu.Unlock()
	if n%6 == 0 {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h := sha256.New()
	if err := readRecording(h, r); err != nil {
		return // the relay was killed while it sent
	}
	if n%6 == 3 {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key, sum := r.Header.Get("Relay-Service")+" "+r.Header.Get("Webhook-Id"), fmt.Sprintf("%x", h.Sum(nil))
	if was, again := a.sums[key]; again && was != sum {
		a.wrong++
	}
	a.sums[key] = sum
}

func readRecording(h hash.Hash, r *http.Request) error {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		_, err := io.Copy(h, r.Body)
		return err
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // as it is documented
			return nil
		}
		if err == nil && part.FormName() == "audio" {
			_, err = io.Copy(h, part)
		}
		if err != nil {
			return err
		}
	}
}

func (a *archive) arrived() (n, wrong int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sums), a.wrong
}

// longRecording writes a WAV file of mostly silence, which takes no room on the disk, and returns its sum.
func longRecording(t *testing.T, path string, size int64, mark string) string {
	t.Helper()
	head := trial.Wave(0)
	le := func(at int, n int64) {
		for i := range 4 {
			head[at+i] = byte(n >> (8 * i))
		}
	}
	le(4, size-8)
	le(40, size-trial.WaveHeader)
	f, err := os.Create(path + ".part")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // what matters has an error of its own
	_, err = f.WriteAt(head, 0)
	if err == nil {
		_, err = f.WriteAt([]byte(mark), size-int64(len(mark)))
	}
	if err == nil {
		_, err = f.WriteAt([]byte(mark), size/2)
	}
	h := sha256.New()
	if err == nil {
		_, err = io.Copy(h, io.NewSectionReader(f, 0, size))
	}
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// memory is what a process holds, and held at the most, in MiB.
func memory(t *testing.T, pid int, line string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), line+":")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

// TestRecordingsArriveWholeThroughKills sends recordings as form data and as bodies to an endpoint that refuses a
// third of them, and kills the relay again and again. Each arrives, as it is, and memory does not depend on them.
func TestRecordingsArriveWholeThroughKills(t *testing.T) {
	count, bytes, every, kills := size(6, 100), int64(size(4, 100))<<20, time.Duration(size(400, 20_000))*time.Millisecond, size(2, 1000)
	a := &archive{sums: map[string]string{}}
	server := &http.Server{Handler: a} //nolint:gosec // the relay alone calls it
	address := trial.FreeAddress(t)
	server.Addr = address
	go server.ListenAndServe() //nolint:errcheck // it ends when it is closed
	t.Cleanup(func() { _ = server.Close() })
	settings := "retry_schedule = [\"1s\"]\n[service.breaker]\nopen = \"1s\"\nmax_open = \"1s\"\n"
	toml := "[recordings]\ndir = \"recordings\"\nlisten = \"\"\nwait = \"10m\"\nkeys = [{ id = \"k\", secret = \"" + strings.Repeat("k", 32) + "\" }]\n"
	for name, body := range map[string]string{"form": `multipart = { id = "#event_id#", audio = "#recording_file#" }`, "body": "method = \"PUT\"\nfile = \"#recording_file#\""} {
		toml += fmt.Sprintf("[[service]]\nname = %q\nurl = \"http://%s/%s\"\n%s\n%s", name, address, name, body, settings) + trial.Binding(name)
	}
	r := trial.Start(t, binary, toml)
	want := map[string]string{}
	if err := os.MkdirAll(r.Path("recordings"), 0o700); err != nil {
		t.Fatal(err)
	}
	idle, most := memory(t, r.Pid(), "VmRSS"), 0
	var events []string
	for i := range count {
		id := fmt.Sprint("r-", i)
		sum := longRecording(t, filepath.Join(r.Path("recordings"), id+".wav"), bytes, id)
		want["form "+id], want["body "+id] = sum, sum
		events = append(events, fmt.Sprintf(`{"event":"agent_termination","id":%q,"recording":"%s.wav"}`, id, id))
	}
	r.Accept(events...)
	began, done := time.Now(), func() bool { n, _ := a.arrived(); return n == 2*count }
	tick := time.NewTicker(every)
	defer tick.Stop()
	killed := 0
	for ; killed < kills && !done(); killed++ {
		<-tick.C
		most = max(most, memory(t, r.Pid(), "VmHWM"))
		r.Kill()
		r.Start()
	}
	r.Until("each recording arrives", done)
	most = max(most, memory(t, r.Pid(), "VmHWM"))
	if _, wrong := a.arrived(); wrong > 0 {
		t.Errorf("%d arrived twice, and differ", wrong)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, sum := range want {
		if a.sums[key] != sum {
			t.Errorf("%s arrived as another one", key)
		}
	}
	t.Logf("%d recordings of %d MiB twice in %s, %d requests, %d kills; memory %d MiB idle, %d at the most",
		count, bytes>>20, time.Since(began).Round(time.Second), a.requests, killed, idle, most)
	if most > idle+32 {
		t.Errorf("%d MiB of memory, %d when idle: at most 32 more", most, idle)
	}
}
