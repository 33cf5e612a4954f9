package recordings

import (
	"encoding/binary"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"callrelay/relay/recordings/wav"
)

// sized is a file of 16 bit mono whose header says what it likes.
func sized(riff, data uint32, n int) []byte {
	file := append(wav.Raw(8000, 1, 0).HeaderFor(0), make([]byte, n)...)
	binary.LittleEndian.PutUint32(file[4:], riff)
	binary.LittleEndian.PutUint32(file[40:], data)
	return file
}

// TestOddFilesAreReady has the files that programs write which cannot, or do not,
// say how long they are. Each is complete and was written a moment ago.
func TestOddFilesAreReady(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	odd, err := os.ReadDir(filepath.Join("testdata", "odd"))
	if err != nil {
		t.Fatal(err)
	}
	const all = 1<<32 - 1
	mp3 := append([]byte("ID3\x04"), make([]byte, 100)...)
	files := map[string]struct {
		data    []byte
		kind    string
		seconds float64
	}{
		"zeros.wav":     {sized(0, 0, 1600), waveType, 0.1},
		"ones.wav":      {sized(all, all, 1600), waveType, 0.1},
		"two-gib.wav":   {sized(1<<31-1, 1<<31-37, 1600), waveType, 0.1},
		"whole.wav":     {sized(1644, 1600, 1600), waveType, 0.1},
		"too-long.wav":  {sized(1636, 1616, 1600), waveType, 0.1},
		"noext":         {sized(1636, 1600, 1600), waveType, 0.1},
		"as.mp3":        {sized(1636, 1600, 1600), waveType, 0.1},
		"mp3.wav":       {mp3, "audio/mpeg", 0},
		"plain-mp3.WAV": {append([]byte{0xff, 0xfb, 0x90}, mp3...), "audio/mpeg", 0},
		"ogg.wav":       {append([]byte("OggS"), mp3...), "audio/ogg", 0},
		"flac":          {append([]byte("fLaC"), mp3...), "audio/flac", 0},
	}
	for _, file := range odd {
		data, err := os.ReadFile(filepath.Join("testdata", "odd", file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		seconds := 0.225
		if filepath.Ext(file.Name()) == ".wav16" {
			seconds = 0.1125
		}
		files[file.Name()] = struct {
			data    []byte
			kind    string
			seconds float64
		}{data, waveType, seconds}
	}
	addr, ready, began := serveTest(t, r), map[string]<-chan time.Time{}, time.Now()
	for name, file := range files {
		put(t, r, name, file.data)
		ready[name] = readyTime(r, name)
	}
	for name, file := range files {
		select {
		case at := <-ready[name]:
			if took := at.Sub(began); took > 4*time.Second { // 3 s, and one for a busy machine
				t.Errorf("%s: ready after %s, want 3 s", name, took)
			}
		case <-time.After(soon):
			t.Fatalf("%s: never ready", name)
		}
		if got := r.Look(name, -1, -1); got.State != StateReady || got.Type != file.kind || got.Seconds != file.seconds {
			t.Errorf("%s: %s, %s, %v s, want ready, %s, %v s", name, got.State, got.Type, got.Seconds, file.kind, file.seconds)
		}
		checkPart(t, r, addr, name, file.kind == waveType)
	}
}

// checkPart asks for a link to a part: it is there if, and only if, the part is.
func checkPart(t *testing.T, r *Recordings, addr, name string, cuttable bool) {
	t.Helper()
	resp, _ := ask(t, addr, "GET", target(t, r.Link(name, "", time.Now(), -1, -1)))
	if want := r.Look(name, -1, -1).Type; resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != want {
		t.Errorf("GET %s = %d, %s, want %s", name, resp.StatusCode, resp.Header.Get("Content-Type"), want)
	}
	part, link := r.Look(name, 0, 0.05), r.Link(name, "", time.Now(), 0, 0.05)
	if (part.State == StateReady) != cuttable || (link != "") != cuttable {
		t.Errorf("%s: part is %s, its link %q", name, part.State, link)
	}
	if !cuttable {
		return
	}
	if resp, body := ask(t, addr, "GET", target(t, link)); resp.StatusCode != http.StatusOK || int64(len(body)) != part.Bytes || part.Seconds != 0.05 {
		t.Errorf("GET of a part of %s = %d, %d bytes, want %d, %v s", name, resp.StatusCode, len(body), part.Bytes, part.Seconds)
	}
}

// TestOddFilesThatGrow are not ready before they have ended.
func TestOddFilesThatGrow(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	for name, size := range map[string]uint32{"zeros.wav": 0, "ones.wav": 1<<32 - 1, "raw-ones.wav16": 1<<32 - 1} {
		w := &writer{t: t, path: filepath.Join(r.root.dir, name)}
		ready := readyTime(r, name)
		go func() {
			f := w.create()
			w.grow(f, sized(size, size, 64000), 30)
			_ = f.Close()
		}()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := <-ready
			if done := w.done.Load(); done == 0 || at.UnixNano() < done {
				t.Error("ready before it had ended")
			}
		})
	}
}

// TestOpenFileIsNotReady has a pause in a recording whose header says nothing: as
// long as its writer has it open, it is waited for.
func TestOpenFileIsNotReady(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	old := time.Now().Add(-leftOpen / 2)
	path := put(t, r, "a.wav", sized(0, 0, 1600))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if !r.root.written("a.wav") {
		t.Skip("this filesystem knows no leases")
	}
	if got := r.Look("a.wav", -1, -1); got.State != StatePending {
		t.Errorf("open: %s, want %s", got.State, StatePending)
	}
	_ = f.Close()
	if got := r.Look("a.wav", -1, -1); got.State != StateReady {
		t.Errorf("closed: %s, want %s", got.State, StateReady)
	}
}

// TestAsteriskHoldsBack has files as they stand between two writes of a recorder
// that keeps 32 KiB to itself: two seconds of audio, or twenty.
func TestAsteriskHoldsBack(t *testing.T) {
	gsm := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x14\x00\x00\x00\x31\x00\x01\x00\x40\x1f\x00\x00\x59\x06\x00\x00\x41\x00\x00\x00\x02\x00\x40\x01data\x00\x00\x00\x00"), make([]byte, 6500)...)
	r, _ := openTest(t, testConfig(t), Options{})
	for _, test := range []struct {
		name string
		data []byte
		age  time.Duration
		want string
	}{
		{"pcm.wav", sized(0, 0, 1600), 2048 * time.Millisecond, StatePending},
		{"pcm-ended.wav", sized(0, 0, 1600), 3 * time.Second, StateReady},
		{"gsm.WAV", gsm, 15 * time.Second, StatePending},
		{"gsm-ended.WAV", gsm, 25 * time.Second, StateReady},
	} {
		path, at := put(t, r, test.name, test.data), time.Now().Add(-test.age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		if got := r.Look(test.name, -1, -1); got.State != test.want {
			t.Errorf("%s: %s, want %s", test.name, got.State, test.want)
		}
	}
}

// TestMoreThanFourGiB has a sparse file whose header's fields are too small.
func TestMoreThanFourGiB(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	const n = 5 << 30
	path := put(t, r, "long.wav", sized(uint32(n+36-1<<32), uint32(n-1<<32), 0))
	if err := os.Truncate(path, n+44); err != nil {
		t.Skip(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if got := r.Look("long.wav", -1, -1); got.State != StateReady || got.Bytes != n+44 || got.Seconds != n/16000.0 {
		t.Errorf("Look = %s, %d bytes, %v s", got.State, got.Bytes, got.Seconds)
	}
	if got := r.Look("long.wav", 300_000, 300_001); got.State != StateReady || got.Bytes != 16044 {
		t.Errorf("a part = %s, %d bytes", got.State, got.Bytes)
	}
}

// TestConverted has a script that makes another format of the recording and
// takes the first one away, before a delivery and after.
func TestConverted(t *testing.T) {
	t.Parallel()
	raise, raised := raiser(0)
	r, _ := openTest(t, testConfig(t), Options{Raise: raise})
	addr := serveTest(t, r)
	mp3 := append([]byte("ID3\x04"), make([]byte, 100)...)

	putOld(t, r, "2020/before.mp3", mp3)
	if got := r.Look("2020/before.wav", -1, -1); got.State != StateReady || got.Name != "2020/before.mp3" || got.Type != "audio/mpeg" || got.SHA256() != sum(mp3) {
		t.Errorf("Look = %+v", got)
	}
	link := target(t, r.Link("2020/before.wav", "", time.Now(), -1, -1))
	if resp, body := ask(t, addr, "GET", link); resp.StatusCode != http.StatusOK || len(body) != len(mp3) || resp.Header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("GET %s = %d, %d bytes", link, resp.StatusCode, len(body))
	}

	putOld(t, r, "2020/1795794429.wav", mp3)
	if got := r.Look("2020/1795794429.20", -1, -1); got.State != StatePending {
		t.Errorf("another recording is taken for the one of an id: %+v", got)
	}

	putOld(t, r, "2020/after.wav", testFile(t, "mono.wav"))
	link = target(t, r.Link("2020/after.wav", "", time.Now(), -1, -1))
	if err := os.Rename(filepath.Join(r.root.dir, "2020/after.wav"), filepath.Join(r.root.dir, "2020/after.ogg")); err != nil {
		t.Fatal(err)
	}
	if resp, body := ask(t, addr, "GET", link); resp.StatusCode != http.StatusOK || len(body) != len(testFile(t, "mono.wav")) {
		t.Errorf("GET %s of what was moved = %d, %d bytes", link, resp.StatusCode, len(body))
	}

	r.Late("2020/a.wav", -1, -1, []byte(lateEvent), time.Now().Add(time.Hour))
	putOld(t, r, "2020/a.opus", mp3)
	if got := receive(t, raised); got["event"] != AvailableEvent {
		t.Errorf("raised %v, want %s", got["event"], AvailableEvent)
	}
}

// TestMissingIsAlwaysFollowed has recordings that can never be had.
func TestMissingIsAlwaysFollowed(t *testing.T) {
	t.Parallel()
	raise, raised := raiser(0)
	r, _ := openTest(t, testConfig(t), Options{Raise: raise})
	putOld(t, r, "2020/a.wav", testFile(t, "mono.wav")) // 3 s
	for name, late := range map[string]func(){
		"a part beyond the end": func() { r.Late("2020/a.wav", 3, 4, []byte(lateEvent), time.Now().Add(time.Hour)) },
		"a part of nothing":     func() { r.Late("2020/a.wav", 1, 0, []byte(lateEvent), time.Now().Add(time.Hour)) },
		"a path that leads out": func() { r.Late("../a.wav", -1, -1, []byte(lateEvent), time.Now().Add(time.Hour)) },
	} {
		late()
		if got := receive(t, raised); got["event"] != FailedEvent {
			t.Errorf("%s: raised %v, want %s", name, got["event"], FailedEvent)
		}
		waitFor(t, "forgotten", func() bool { r.pending.mu.Lock(); defer r.pending.mu.Unlock(); return len(r.pending.entries) == 0 })
	}
}
