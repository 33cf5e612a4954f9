package faults

import (
	native "encoding/binary"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// buildStepped builds a relay whose wall clock can be set from outside: nothing
// of the relay is changed, but package time adds what a file says.
func buildStepped(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original, err := os.ReadFile(filepath.Join(place, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const reads = "sec, nsec, mono := runtimeNow()"
	if strings.Count(string(original), reads) != 1 {
		t.Fatalf("package time of this Go does not read the clock by %q", reads)
	}
	dir := t.TempDir()
	stepped := filepath.Join(dir, "time.go")
	if err := os.WriteFile(stepped, []byte(strings.Replace(string(original), reads, "sec, nsec, mono := steppedNow()", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	added, err := filepath.Abs(filepath.Join("testdata", "step.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(place, "time.go"): stepped, filepath.Join(place, "step_linux.go"): added,
	}})
	if err != nil {
		t.Fatal(err)
	}
	file, built := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "relay")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", file, "-o", built, "callrelay/relay").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return built
}

// A wallClock is that of one relay.
type wallClock struct {
	t    *testing.T
	path string
}

// set sets it ahead of the machine's.
func (c wallClock) set(by time.Duration) {
	c.t.Helper()
	f, err := os.OpenFile(c.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was written
	if _, err := f.WriteAt(native.NativeEndian.AppendUint64(nil, uint64(int64(by/time.Second))), 0); err != nil {
		c.t.Fatal(err)
	}
}

func TestAClockThatIsSetLosesRepeatsAndStallsNothing(t *testing.T) {
	if size(0, 1) == 0 {
		t.Skip("FAULTS is not long: package time is not built anew (that steps are told from time is shown by package queue)")
	}
	stepped := buildStepped(t)
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			setClockUnderLoad(t, stepped, by)
		})
	}
}

// setClockUnderLoad sets the clock while deliveries wait for a retry, kills the
// relay and sets it back. All ids are sent again after each step. A delivery would
// expire after half an hour.
func setClockUnderLoad(t *testing.T, stepped string, by time.Duration) {
	at := trial.NewReceiver(t)
	var sick atomic.Bool
	at.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	clock := wallClock{t, filepath.Join(t.TempDir(), "clock")}
	clock.set(0)
	r := trial.New(t, stepped, trial.Service("crm", at.URL, "max_age = \"30m\"\nretry_schedule = [\"12s\"]\n[service.breaker]\nfailures = 10000\nratio = 1.0"))
	r.Env = []string{"FAULTS_CLOCK=" + clock.path}
	r.Start()
	const each = 200
	var sent []string
	send := func(prefix string) {
		sent = append(sent, trial.Numbered(prefix, "agent_termination", each)...)
		r.Accept(sent...)
	}
	arrived := func() {
		t.Helper()
		r.Until("all arrive", func() bool { _, got := at.Total(); return got == len(sent) })
	}
	send("before")
	arrived()
	sick.Store(true)
	send("parked")
	r.Until("these are refused", func() bool { return at.Refused() >= each })
	clock.set(by)
	send("stepped")
	r.Until("those too", func() bool { return at.Refused() >= 2*each })
	r.Kill()
	r.Start()
	send("restarted")
	clock.set(0)
	send("set-back")
	sick.Store(false)
	arrived()
	if total, distinct := at.Total(); total != distinct || distinct != 5*each {
		repeated := map[string]int{} // by what they were sent as
		for id, n := range at.Counts() {
			repeated[strings.TrimRight(id, "-0123456789")] += n - 1
		}
		t.Errorf("%d deliveries of %d events, want %d of each once; repeated: %v", total, distinct, 5*each, repeated)
	}
	t.Logf("set by %s and back: %d acknowledged, each delivered once over %d refusals", by, len(sent), at.Refused())
}
