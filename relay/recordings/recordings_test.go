package recordings

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/repeat"
)

const (
	testURL   = "http://relay.test/recordings"
	testKey   = "0123456789abcdef0123456789abcdef"
	secondKey = "fedcba9876543210fedcba9876543210"
)

// testConfig is a configuration in which all modes are on.
func testConfig(t testing.TB) *config.Recordings {
	return &config.Recordings{
		Dir: filepath.Join(t.TempDir(), "recordings"), URL: testURL, Listen: "127.0.0.1:0", Access: AccessSigned, Expires: time.Hour,
		Keys:  []config.Key{{ID: "k1", Secret: config.NewSecret(testKey)}},
		Users: []config.User{{Name: "crm", Password: config.NewSecret("right horse")}},
		Wait:  time.Minute, Late: time.Hour, Anonymous: true,
	}
}

// openTest opens recordings with a log that can be read.
func openTest(t testing.TB, c *config.Recordings, o Options) (*Recordings, *logText) {
	t.Helper()
	text := &logText{}
	o.Log = slog.New(repeat.NewHandler(slog.NewTextHandler(text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	r, err := Open(c, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.root.make(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, text
}

// logText is what was logged.
type logText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// put writes a file below the recordings.
func put(t testing.TB, r *Recordings, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(r.root.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// putOld writes a file that has been as it is for an hour.
func putOld(t testing.TB, r *Recordings, name string, data []byte) {
	t.Helper()
	path, old := put(t, r, name, data), time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLook(t *testing.T) {
	c := testConfig(t)
	c.Raw = &config.Raw{Rate: 8000, Channels: 2}
	r, _ := openTest(t, c, Options{})
	stereo := testFile(t, "stereo.wav")
	putOld(t, r, "stereo.wav", stereo)
	putOld(t, r, "crash.wav", testFile(t, "crash.wav"))
	putOld(t, r, "empty.wav", nil)
	putOld(t, r, "cut.wav", stereo[:len(stereo)/2])
	putOld(t, r, "text.wav", []byte("this is not what it promises to be"))
	putOld(t, r, "song.mp3", []byte("ID3 any bytes will do here"))
	putOld(t, r, "dual.raw", stereo[44:])
	putOld(t, r, "empty.raw", nil)
	put(t, r, "fresh.wav", stereo)
	outside := filepath.Join(t.TempDir(), "secret.wav")
	if err := os.WriteFile(outside, stereo, 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"out.wav": outside, "up.wav": "../../secret.wav", "in.wav": "stereo.wav", "loop.wav": "loop.wav"} {
		if err := os.Symlink(to, filepath.Join(r.root.dir, link)); err != nil {
			t.Fatal(err)
		}
	}

	for _, test := range []struct {
		name  string
		path  string
		want  string
		bytes int64
	}{
		{"complete", "stereo.wav", StateReady, int64(len(stereo))},
		{"complete, by its absolute path", filepath.Join(c.Dir, "stereo.wav"), StateReady, int64(len(stereo))},
		{"just written", "fresh.wav", StatePending, 0},
		{"left behind by a crash", "crash.wav", StateReady, int64(len(testFile(t, "crash.wav")))},
		{"made and not written to", "empty.wav", StatePending, 0},
		{"shorter than it says", "cut.wav", StatePending, 0},
		{"no WAV file in spite of its name", "text.wav", StatePending, 0},
		{"another format", "song.mp3", StateReady, 26},
		{"headerless", "dual.raw", StateReady, int64(len(stereo))},
		{"headerless and empty", "empty.raw", StatePending, 0},
		{"not there", "never.wav", StatePending, 0},
		{"in a folder that is not there", "2020/04/never.wav", StatePending, 0},
		{"none", "", StateNone, 0},
		{"a folder", ".", StateMissing, 0},
		{"absolute elsewhere", outside, StateMissing, 0},
		{"absolute with the folder as a prefix of its name", c.Dir + "-other/x.wav", StateMissing, 0},
		{"above", "../secret.wav", StateMissing, 0},
		{"symlink out, absolute", "out.wav", StateMissing, 0},
		{"symlink out, relative", "up.wav", StateMissing, 0},
		{"symlink to itself", "loop.wav", StateMissing, 0},
		{"symlink within", "in.wav", StateReady, int64(len(stereo))},
		{"below a file", "stereo.wav/x.wav", StateMissing, 0},
		{"with a NUL", "a\x00b.wav", StateMissing, 0},
		{"name too long", strings.Repeat("x", 300) + ".wav", StateMissing, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := r.Look(test.path, -1, -1)
			if got.State != test.want || got.Bytes != test.bytes {
				t.Errorf("Look(%q) = %s, %d bytes, want %s, %d bytes", test.path, got.State, got.Bytes, test.want, test.bytes)
			}
		})
	}
}

// reapply puts another configuration in force.
func reapply(r *Recordings, c *config.Recordings) error {
	commit, err := r.Prepare(c)
	if err == nil {
		commit()
	}
	return err
}
