package command

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsNameTheFileTheyCannotUse gives commands a configuration that is not
// there, an event that is not there, or a folder in place of a file.
func TestCommandsNameTheFileTheyCannotUse(t *testing.T) {
	folder := filepath.Dir(writeConfig(t, idleConfig))
	good := filepath.Join(folder, "relay.toml")
	none := filepath.Join(folder, "none.toml")
	broken := writeConfig(t, "[queue\n")
	const which = "try: relay -c FILE, or set RELAY_CONFIG"
	for _, test := range []struct {
		args string // FOLDER, GOOD, NONE and BROKEN stand for the paths
		want int
		err  string
	}{
		{"status -c NONE", 1, which + "; --socket PATH finds a running relay"},
		{"send -c NONE", 1, which},
		{"context -c NONE", 1, which},
		{"restore FOLDER -c NONE", 1, which},
		{"status --hub -c NONE", 1, which},
		{"doctor -c NONE", 1, which},
		{"render crm -c NONE", 1, "try: relay check"},
		{"render crm -c BROKEN", 1, "try: relay check"},
		{"move --to cluster -c NONE", 1, "try: relay init NONE"},
		{"move --to here -c GOOD", 2, `--to "here" is none of cluster, embedded`},
		{"check -c FOLDER", 1, "FOLDER: 1 problem"},
		{"render crm -e NONE -c GOOD", 1, "open NONE: no such file or directory"},
		{"render crm -e FOLDER -c GOOD", 1, "read FOLDER: is a directory"},
		{"test crm -e NONE -c GOOD", 1, "open NONE: no such file or directory"},
		{"send FOLDER -c GOOD", 1, "read FOLDER: is a directory"},
		{"send NONE -c GOOD", 1, "open NONE: no such file or directory"},
		{"backup GOOD -c GOOD", 1, "GOOD: not a directory"},
		{"backup NONE -c GOOD", 1, "relay: no relay runs here: nobody serves FOLDER/run/admin.sock\ntry: relay run"},
		{"restore NONE -c GOOD", 1, "backup NONE: lstat NONE: no such file or directory"},
		{"restore FOLDER -c GOOD", 1, "no whole backup"},
		{"context -c GOOD", 1, "queue.listen is empty"},
	} {
		paths := strings.NewReplacer("FOLDER", folder, "GOOD", good, "NONE", none, "BROKEN", broken)
		got := command(t, "", strings.Fields(paths.Replace(test.args))...)
		if want := paths.Replace(test.err); got.status != test.want || got.out != "" || !strings.Contains(got.err, want) {
			t.Errorf("relay %s: %+v, want exit %d and %q", test.args, got, test.want, want)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("commands that failed left %v, %v", entries, err)
	}
}

// TestTheDoctorLooksAtWhatIsStopped, with a configuration that has problems, too.
func TestTheDoctorLooksAtWhatIsStopped(t *testing.T) {
	r := &relayUnderTest{t: t, path: writeConfig(t, idleConfig+"[[mapping]]\nfrom = \"a\"\nto = \"b\"\n")}
	r.run([]step{
		{"a warning", "", "doctor", 0, "warning  configuration  ", ""},
		{"a queue that was never made", "", "doctor", 0, "run/queue is missing\n", ""},
		{"in JSON", "", "doctor --json", 0, `{"level":"warning","what":"relay","text":"does not run","do":"` + howToStart + `"}` + "\n", ""},
	})
	writeFile(t, r.path, idleConfig+"nonsense = 1\n")
	r.run([]step{{"a problem is a fault", "", "doctor", 1, "fault    configuration  1 problem\n", "relay: 1 fault found\n"}})
}

// TestSendSaysWhatWasTaken sends more than one request holds, and what is wrong
// somewhere in it.
func TestSendSaysWhatWasTaken(t *testing.T) {
	r := startRelay(t, configFor("crm", newEndpoint(t).URL))
	events := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"event":"call_end","id":"e%d"} `, i)
		}
		return b.String()
	}
	many := sendEvents + 2
	if got := command(t, events(many), "send", "-c", r.path); got.status != 0 || strings.Count(got.out, "\n") != many || !strings.HasSuffix(got.out, fmt.Sprintf("e%d\n", many-1)) {
		t.Errorf("%d events: exit %d, %d ids, %s", many, got.status, strings.Count(got.out, "\n"), got.err)
	}
	path := filepath.Join(t.TempDir(), "events.json")
	writeFile(t, path, "["+strings.ReplaceAll(strings.TrimSpace(events(2)), "} {", "},\n{")+"]")
	r.run([]step{
		{"an array in a file", "", "send " + path, 0, "e0\ne1\n", ""},
		{"no event in an array", "[]", "send", 0, "", ""},
		{"half an array", `[{"event":"call_end"}`, "send", 1, "", "read events: "},
		{"no JSON in an array", `[{"event":"call_end"} x]`, "send", 1, "", "read event 2: "},
		{"no JSON behind", events(1) + "x", "send", 1, "", "read event 2: "},
		{"a bad one behind a whole request", events(sendEvents) + `{"event":"Call End"}`, "send", 1, "e499\n", fmt.Sprintf("event %d: event: ", sendEvents+1)},
		{"how many were taken", events(sendEvents) + `{"event":"Call End"}`, "send", 1, "", fmt.Sprintf("; the first %d were accepted\n", sendEvents)},
		{"a record of FreeSWITCH that is no JSON", "x", "send --format freeswitch", 1, "", "(400)\n"},
	})
}

// TestSendTellsWhoRefuses stands in for an intake that is full, and for something
// that is no relay.
func TestSendTellsWhoRefuses(t *testing.T) {
	path := writeConfig(t, idleConfig)
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		err    string
	}{
		{"full", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprint(w, `{"error":"queue is full"}`)
		}, "relay: queue is full (503)\ntry: again in 7 s; relay status says why\n"},
		{"no relay", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "hello") }, "relay: intake answered 200 OK: "},
	} {
		socket := filepath.Join(filepath.Dir(path), "run", "relay.sock")
		if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: test.answer}
		go func() { _ = s.Serve(l) }()
		if got := command(t, `{"event":"call_end"}`, "send", "-c", path); got.status != 1 || !strings.HasPrefix(got.err, test.err) {
			t.Errorf("%s: %+v", test.name, got)
		}
		_ = s.Close()
	}
}
