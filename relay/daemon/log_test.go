package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal and returns both of its ends.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no terminals here: ", err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	tty, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return screen, tty
}

func TestLogIsTextOnATerminal(t *testing.T) {
	screen, tty := terminal(t)
	NewLogger(tty).Warn("attempt failed", "service", "crm", "elapsed", 1500*time.Millisecond)
	line := make([]byte, 4096)
	n, err := screen.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(line[:n]); !strings.Contains(got, "level=WARN msg=\"attempt failed\" service=crm elapsed=1.5s") {
		t.Errorf("got %s", got)
	}
}

func TestLogIsJSONWithPrioritiesInTheJournal(t *testing.T) {
	for _, test := range []struct {
		name    string
		journal bool // stderr is what JOURNAL_STREAM names
	}{
		{"the journal", true},
		{"a file, and a variable that was inherited", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var stat unix.Stat_t
			if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
				t.Fatal(err)
			}
			if !test.journal {
				stat.Ino++
			}
			t.Setenv("RELAY_LOG", "debug")
			t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino))
			NewLogger(f).With("part", "deliver").WithGroup("of").Error("queue full")
			NewLogger(f).Info("event accepted")
			NewLogger(f).Debug("attempt made")
			NewLogger(f).Warn("attempt failed", "elapsed", 1500*time.Millisecond)
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Split(string(got), "\n")
			for i, want := range []string{`3>{ "msg":"queue full","part":"deliver"}`, `6>{ "msg":"event accepted"}`, `7>{ "msg":"attempt made"}`, `4>{ "msg":"attempt failed","elapsed":"1.5s"}`} {
				start, end, _ := strings.Cut(want, " ")
				if start = "<" + start; !test.journal {
					start = "{"
				}
				if !strings.HasPrefix(text[i], start) || !strings.HasSuffix(text[i], end) {
					t.Errorf("line %d is %s", i, text[i])
				}
			}
		})
	}
}
