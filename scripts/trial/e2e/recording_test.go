package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// A recorded is what the service of [recording] is sent.
type recorded struct {
	Event, URL, State, SHA256 string
	Seconds                   float64
	Bytes                     int64
}

// recording returns a [recordings] that the relay serves at an address, with
// more keys, and a service that is sent all there is to know of a recording.
func recording(address, url, more string) string {
	return fmt.Sprintf("[recordings]\ndir = \"recordings\"\nurl = \"http://%[1]s/recordings\"\nlisten = %[1]q\n%[2]s\n"+
		"[[service]]\nname = \"crm\"\nurl = %[3]q\nconcurrency = 32\n", address, more, url) +
		`json = '{"event":"#event#","url":"#recording_url#","state":"#recording_state#","sha256":"#recording_sha256#",` +
		`"seconds":"#recording_seconds|number#","bytes":"#recording_bytes|number#"}'` + "\n" + trial.Binding("crm")
}

// key is a key of recording links.
func key(id string) string {
	return fmt.Sprintf("{ id = %q, secret = %q }", id, strings.Repeat(id, 32))
}

// call is an event with a recording, and more members.
func call(id, recording, more string) string {
	return fmt.Sprintf(`{"event":"agent_termination","queue":"support","id":%q,"recording":%q%s}`, id, recording, more)
}

// awaitRecorded waits for n deliveries in all and returns what the last one said.
func awaitRecorded(t *testing.T, r *trial.Relay, at *trial.Receiver, n int) (recorded, time.Time) {
	t.Helper()
	r.Until(fmt.Sprint(n, " deliveries arrive"), func() bool { total, _ := at.Total(); return total >= n })
	last := at.Arrivals()[n-1]
	var got recorded
	if err := json.Unmarshal([]byte(last.Body), &got); err != nil {
		t.Fatalf("%v: %s", err, last.Body)
	}
	return got, last.At
}

// put writes a recording beside its place and moves it there, complete.
func put(t *testing.T, r *trial.Relay, name string, data []byte) {
	t.Helper()
	path := filepath.Join(r.Path("recordings"), name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path+".part", data, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fetch gets a link, or a range of it when one is given.
func fetch(t *testing.T, link, byteRange string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	if byteRange != "" {
		req.Header.Set("Range", "bytes="+byteRange)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// status gets a link and tells the status alone.
func status(t *testing.T, link string) int {
	t.Helper()
	code, _ := fetch(t, link, "")
	return code
}

func TestADeliveryLeavesWhenItsRecordingIsComplete(t *testing.T) {
	t.Parallel()
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, recording(trial.FreeAddress(t), at.URL, "keys = ["+key("a")+"]"))
	r.Accept(call("grows", "grows.wav", ""))
	whole := trial.Wave(2 * trial.WaveRate)
	began, ended := grow(t, filepath.Join(r.Path("recordings"), "grows.wav"), whole)
	got, arrived := awaitRecorded(t, r, at, 1)
	if arrived.Before(began) || arrived.After(ended.Add(time.Second)) {
		t.Errorf("it left %s after its recording was completed, want 0 s to 1 s", arrived.Sub(ended))
	}
	if got.State != "ready" || got.Bytes != int64(len(whole)) || got.Seconds != 2 || got.SHA256 != sum(whole) {
		t.Errorf("got %+v of %d bytes, 2 s", got, len(whole))
	}
	if code, body := fetch(t, got.URL, ""); code != http.StatusOK || string(body) != string(whole) {
		t.Errorf("the link gives %d and %d bytes", code, len(body))
	}
}

// grow writes a recording as a call server does: for two seconds, and the sizes
// of its header at the end. It returns between which moments that was.
func grow(t *testing.T, path string, whole []byte) (began, ended time.Time) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // all was written
	header := append([]byte(nil), whole[:trial.WaveHeader]...)
	copy(header[4:], "\x00\x00\x00\x00")
	copy(header[40:], "\x00\x00\x00\x00")
	write := func(b []byte, at int) {
		if _, err := f.WriteAt(b, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	write(header, 0)
	const steps = 20
	tick := time.NewTicker(2 * time.Second / steps)
	defer tick.Stop()
	size := (len(whole) - trial.WaveHeader) / steps
	for at := trial.WaveHeader; at < len(whole); at += size {
		<-tick.C
		write(whole[at:at+size], at)
	}
	began = time.Now()
	write(whole[:trial.WaveHeader], 0)
	return began, time.Now()
}

func TestARecordingThatNeverComesIsMissingAndAnnouncedWhenItDoes(t *testing.T) {
	t.Parallel()
	at := trial.NewReceiver(t)
	const wait = time.Second
	toml := recording(trial.FreeAddress(t), at.URL, "keys = ["+key("a")+"]\nwait = \"1s\"")
	r := trial.Start(t, binary, strings.Replace(toml, `event = "agent_termination"`, `event = ["agent_termination", "recording_available"]`, 1))
	accepted := time.Now()
	r.Accept(call("late", "2020/late.wav", ""))
	got, arrived := awaitRecorded(t, r, at, 1)
	if got.State != "missing" || got.Bytes != 0 || got.URL == "" {
		t.Errorf("got %+v, want it missing", got)
	}
	if d := arrived.Sub(accepted); d < wait || d > 2*wait {
		t.Errorf("it left after %s, want %s", d, wait)
	}
	if code := status(t, got.URL); code != http.StatusNotFound {
		t.Errorf("the link gives %d before the file is there", code)
	}
	put(t, r, "2020/late.wav", trial.Wave(800))
	again, _ := awaitRecorded(t, r, at, 2)
	if again.Event != "recording_available" || again.State != "ready" || again.Seconds != 0.1 {
		t.Errorf("got %+v, want the recording announced", again)
	}
	for _, link := range []string{got.URL, again.URL} {
		if code := status(t, link); code != http.StatusOK {
			t.Errorf("%s gives %d", link, code)
		}
	}
}

func TestManyDeliveriesThatWaitForRecordingsHoldUpNobody(t *testing.T) {
	t.Parallel()
	const waiting, others = 2000, 1000
	at, plain := trial.NewReceiver(t), trial.NewReceiver(t)
	toml := recording(trial.FreeAddress(t), at.URL, "keys = ["+key("a")+"]") +
		strings.Replace(trial.Service("plain", plain.URL, ""), "agent_termination", "post_call", 1)
	r := trial.Start(t, binary, toml)
	events := make([]string, waiting)
	for i := range events {
		events[i] = call(fmt.Sprint("waits-", i), fmt.Sprintf("%d/%d.wav", i%50, i), "")
	}
	r.Accept(events...)
	ids := r.Accept(trial.Numbered("plain", "post_call", others)...)
	r.Until("a service without recordings is sent all it is owed", func() bool { return plain.Missing(ids) == 0 })
	ids = r.Accept(trial.Numbered("same", "agent_termination", others)...)
	r.Until("so is the same service, where there is no recording", func() bool { return at.Missing(ids) == 0 })
	if total, _ := at.Total(); total != others {
		t.Errorf("%d deliveries, want the %d without a recording", total, others)
	}
	r.Until("the others still wait", func() bool { return r.Metric(`relay_pending{service="crm"}`) == fmt.Sprint(waiting) })
}
