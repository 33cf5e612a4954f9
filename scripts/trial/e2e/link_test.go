package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func TestALinkIsRefusedOnceItsKeyIsRemoved(t *testing.T) {
	t.Parallel()
	at, address := trial.NewReceiver(t), trial.FreeAddress(t)
	config := func(keys ...string) string {
		return recording(address, at.URL, "keys = ["+strings.Join(keys, ", ")+"]\nusers = [{ name = \"crm\", password = \"right horse\" }]")
	}
	r := trial.Start(t, binary, config(key("a")))
	put(t, r, "call.wav", trial.Wave(800))
	r.Accept(call("one", "call.wav", ""))
	old, _ := awaitRecorded(t, r, at, 1)
	bare, _, _ := strings.Cut(old.URL, "?")
	for link, want := range map[string]int{
		old.URL:                  http.StatusOK,
		old.URL[:len(old.URL)-1]: http.StatusForbidden,
		bare:                     http.StatusForbidden,
		strings.Replace(bare, "://", "://crm:right%20horse@", 1): http.StatusForbidden, // no link asks for a password
	} {
		if code := status(t, link); code != want {
			t.Errorf("%s gives %d, want %d", link, code, want)
		}
	}
	r.Reload(config(key("b"), key("a")))
	r.Accept(call("two", "call.wav", ""))
	fresh, _ := awaitRecorded(t, r, at, 2)
	if !strings.Contains(fresh.URL, "kid=b&") {
		t.Errorf("%s is not signed by the first key", fresh.URL)
	}
	for _, link := range []string{old.URL, fresh.URL} {
		if code := status(t, link); code != http.StatusOK {
			t.Errorf("with both keys %s gives %d", link, code)
		}
	}
	r.Reload(config(key("b")))
	if code := status(t, old.URL); code != http.StatusForbidden {
		t.Errorf("a link whose key is removed gives %d", code)
	}
	if code := status(t, fresh.URL); code != http.StatusOK {
		t.Errorf("a link whose key is left gives %d", code)
	}
}

func TestTheOperatorIsToldOfAgentRecordingsThatAreNotDualChannel(t *testing.T) {
	t.Parallel()
	at := trial.NewReceiver(t)
	toml := recording(trial.FreeAddress(t), at.URL, "keys = ["+key("a")+"]\nagent_perspective = true\nraw = { rate = 8000, channels = 1 }")
	r := trial.Start(t, binary, strings.Replace(toml, "#recording_url#", "#sess_agent_perspective_recording_url#", 1))
	put(t, r, "mono.wav", trial.Wave(800))
	for i := range 2 {
		r.Accept(call(fmt.Sprint("mono-", i), "", `,"agent_perspective_recording":"mono.wav"`))
		got, _ := awaitRecorded(t, r, at, i+1)
		if code := status(t, got.URL); code != http.StatusOK {
			t.Errorf("the link gives %d", code)
		}
	}
	if n := strings.Count(r.Log(), `"agent recording has not two channels"`); n != 1 {
		t.Errorf("the log says it %d times, want once", n)
	}
	if out, code := r.Run("check"); code != 0 || !strings.Contains(out, "raw.channels is 1, and an agent-perspective recording has 2") {
		t.Errorf("relay check = %d:\n%s", code, out)
	}
}

func TestSlicesAreTheSamplesBetweenTwoMoments(t *testing.T) {
	t.Parallel()
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, recording(trial.FreeAddress(t), at.URL, "keys = ["+key("a")+"]"))
	whole := trial.Wave(10 * trial.WaveRate)
	put(t, r, "call.wav", whole)
	for i, test := range []struct {
		members   string
		from, end int // samples
	}{
		{`,"recording_start":2.5,"recording_end":4.125`, 20_000, 33_000},
		{`,"recording_start":9`, 72_000, 80_000},
		{`,"recording_end":0.01`, 0, 80},
	} {
		r.Accept(call(fmt.Sprint("slice-", i), "call.wav", test.members))
		got, _ := awaitRecorded(t, r, at, i+1)
		want := append(trial.Wave(test.end - test.from)[:trial.WaveHeader:trial.WaveHeader],
			whole[trial.WaveHeader+2*test.from:trial.WaveHeader+2*test.end]...)
		seconds := float64(test.end-test.from) / trial.WaveRate
		if got.State != "ready" || got.Bytes != int64(len(want)) || got.Seconds != seconds || got.SHA256 != sum(want) {
			t.Errorf("%s: got %+v, want %d bytes, %v s", test.members, got, len(want), seconds)
		}
		code, body := fetch(t, got.URL, "")
		if code != http.StatusOK || string(body) != string(want) {
			t.Errorf("%s: the link gives %d and %d bytes, want %d", test.members, code, len(body), len(want))
		}
		if parts := fetchInRanges(t, got.URL, len(want)); string(parts) != string(want) {
			t.Errorf("%s: its ranges do not make the whole", test.members)
		}
		checkLength(t, body, seconds)
	}
}

// fetchInRanges gets a link in seven ranges, of which the first two part the header.
func fetchInRanges(t *testing.T, link string, size int) []byte {
	t.Helper()
	var parts []byte
	for at, end := 0, 30; at < size; at, end = end, end+1+size/5 {
		code, part := fetch(t, link, fmt.Sprintf("%d-%d", at, end-1))
		if code != http.StatusPartialContent {
			t.Fatalf("range from %d of %d gives %d", at, size, code)
		}
		parts = append(parts, part...)
	}
	return parts
}

// checkLength asks sox, where it is installed, how long the audio is.
func checkLength(t *testing.T, audio []byte, seconds float64) {
	t.Helper()
	soxi, err := exec.LookPath("soxi")
	if err != nil {
		return
	}
	path := filepath.Join(t.TempDir(), "slice.wav")
	if err := os.WriteFile(path, audio, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), soxi, "-D", path).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != fmt.Sprintf("%f", seconds) {
		t.Errorf("soxi says %s, want %f seconds", got, seconds)
	}
}
