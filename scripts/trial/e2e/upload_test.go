package e2e

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"callrelay/scripts/trial"
)

// uploading returns a relay.toml whose service sends recordings in a body, and
// that tells another one how those that were missing ended.
func uploading(url, told, body, late string) string {
	return "[recordings]\ndir = \"recordings\"\nlisten = \"\"\nwait = \"1s\"\nlate = \"" + late + "\"\nkeys = [" + key("k") + "]\n" +
		fmt.Sprintf("[[service]]\nname = \"crm\"\nurl = %q\n%s\nretry_schedule = [\"1s\"]\n[service.breaker]\nfailures = 1\n", url, body) +
		strings.Replace(trial.Binding("crm"), `"agent_termination"`, `["agent_termination", "recording_available"]`, 1) +
		fmt.Sprintf("[[service]]\nname = \"told\"\nurl = %q\ntext = \"#event#\"\n", told) +
		strings.Replace(trial.Binding("told"), `"agent_termination"`, `["recording_available", "recording_failed"]`, 1)
}

// Form data arrives with the recording, or the slice of it that is the
// segment's, and all of a whole-call file goes out as a body.
func TestUploadsArrive(t *testing.T) {
	t.Parallel()
	whole := trial.Wave(3 * trial.WaveRate)
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	at, archive := trial.NewReceiver(t), trial.NewReceiver(t)
	toml := uploading(at.URL, archive.URL, `multipart = { id = "#event_id#", seconds = "#recording_seconds#", audio = "#recording_file#" }`, "1s") +
		fmt.Sprintf("[[service]]\nname = \"archive\"\nmethod = \"PUT\"\nurl = \"%s/#queue#/#recording_name#\"\nfile = \"#recording_file#\"\nsigning = [%q]\n", archive.URL, secret) +
		trial.Binding("archive")
	r := trial.Start(t, binary, toml)
	put(t, r, "2020/a b.wav", whole)
	r.Accept(call("whole", "2020/a b.wav", ""), call("part", "2020/a b.wav", `,"recording_start":1,"recording_end":2.5`))
	r.Until("all arrive", func() bool { n, _ := at.Total(); m, _ := archive.Total(); return n+m == 4 })
	want := map[string]int{"whole": len(whole), "part": trial.WaveHeader + 3*trial.WaveRate}
	for _, a := range at.Arrivals() {
		_, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		form, err := multipart.NewReader(strings.NewReader(a.Body), params["boundary"]).ReadForm(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		id, file := form.Value["id"][0], form.File["audio"][0]
		seconds := map[string]string{"whole": "3", "part": "1.5"}[id]
		if file.Filename != "a b.wav" || file.Header.Get("Content-Type") != "audio/wav" || file.Size != int64(want[id]) || form.Value["seconds"][0] != seconds {
			t.Errorf("%s: %+v, %v", id, file, form.Value)
		}
	}
	for _, a := range archive.Arrivals() {
		id := a.Header.Get("Webhook-Id")
		if len(a.Body) != want[id] || a.Path != "/support/a%20b.wav" || a.Header.Get("Content-Type") != "audio/wav" || a.Header.Get("Content-Length") != fmt.Sprint(len(a.Body)) && a.Header.Get("Content-Length") != "" {
			t.Errorf("%s: %s %s, %d bytes", id, a.Method, a.Path, len(a.Body))
		}
		if id == "whole" && a.Body != string(whole) {
			t.Error("the whole recording arrives as another one")
		}
		if err := hook.Verify([]byte(a.Body), a.Header); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestAFileFailsWhileItIsSent has a recording go wrong in the middle of its way.
// No endpoint gets a whole body of it, none is to blame for it, and the delivery
// ends as the recording does.
func TestAFileFailsWhileItIsSent(t *testing.T) {
	t.Parallel()
	whole, other := trial.Wave(6<<20), trial.Wave(trial.WaveRate)
	for name, test := range map[string]struct {
		fail  func(path string) error
		again string // what arrives at last; empty: nothing
		told  string // the event that follows; empty: none
		late  string
	}{
		"shrinks":     {func(path string) error { return os.Truncate(path, 8<<20) }, "", "recording_failed", ""},
		"vanishes":    {os.Remove, "", "recording_failed", ""},
		"is replaced": {func(path string) error { return replace(path, other) }, string(other), "", ""},
		"grows": {func(path string) error {
			return os.WriteFile(path, trial.Wave(6<<20+trial.WaveRate), 0o600)
		}, string(trial.Wave(6<<20 + trial.WaveRate)), "", ""},
		"cannot be read any more": {func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700) // root reads all files
		}, "", "recording_failed", ""},
		"comes back": {func(path string) error {
			_ = time.AfterFunc(1500*time.Millisecond, func() { _ = replace(path, other) })
			return os.Remove(path)
		}, string(other), "recording_available", "20s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := trial.NewReceiver(t)
			end := newFailing(t)
			r := trial.Start(t, binary, uploading("http://"+end.Addr().String(), told.URL, `file = "#recording_file#"`, cmp.Or(test.late, "1s")))
			path := filepath.Join(r.Path("recordings"), "a.wav")
			end.fail = func() error { return test.fail(path) }
			put(t, r, "a.wav", whole)
			r.Accept(call("x", "a.wav", ""))
			r.Until("it ends", func() bool {
				n, _ := told.Total()
				_, last := end.arrived()
				return last == test.again && (n > 0) == (test.told != "") && r.Metric(`relay_pending{service="crm"}`) == "0"
			})
			if n, _ := end.arrived(); test.again == "" && n > 0 || n > 1 {
				t.Errorf("%d whole bodies arrived", n)
			}
			if arrivals := told.Arrivals(); test.told != "" && arrivals[0].Body != test.told {
				t.Errorf("told of %s, want %s", arrivals[0].Body, test.told)
			}
			if state, faults := r.Metric(`relay_breaker_state{service="crm"}`), r.Metric(`relay_attempts_total{class="fault",service="crm"}`); state != "0" || faults != "1" {
				t.Errorf("breaker state %s, %s faults\n%s", state, faults, r.Log())
			}
		})
	}
}

func replace(path string, with []byte) error {
	if err := os.WriteFile(path+".part", with, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// failing is an endpoint that has a file fail when it has read some of the first
// request, and keeps the bodies that arrive whole.
type failing struct {
	net.Listener
	fail func() error

	mu    sync.Mutex
	whole int
	last  string
}

func newFailing(t *testing.T) *failing {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Listener: l}
	go func() {
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if err := f.serve(c, first); err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return f
}

func (f *failing) serve(c net.Conn, first bool) error {
	defer c.Close() //nolint:errcheck // all was written
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return nil //nolint:nilerr // nothing came
	}
	if first {
		_, _ = io.CopyN(io.Discard, req.Body, 1<<20)
		if err := f.fail(); err != nil {
			return err
		}
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil //nolint:nilerr // it is not whole
	}
	f.mu.Lock()
	f.whole, f.last = f.whole+1, string(body)
	f.mu.Unlock()
	_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	return err
}

func (f *failing) arrived() (whole int, last string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.whole, f.last
}
