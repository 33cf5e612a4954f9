package command

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onATerminal runs a command that writes to a pseudo terminal of so many columns,
// and returns what was to be seen there.
func onATerminal(t *testing.T, columns int, args ...string) (screen string, status int) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer master.Close() //nolint:errcheck // all was read
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: 50})
	}
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	tty, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	seen := make(chan string)
	go func() {
		var all strings.Builder
		text := make([]byte, 4096)
		for {
			n, err := master.Read(text)
			all.Write(text[:n])
			if err != nil { // EIO once the other end is closed
				seen <- all.String()
				return
			}
		}
	}()
	a := &app{in: strings.NewReader(""), out: printed(tty), err: printed(tty), version: "devel"}
	status = a.execute(t.Context(), args)
	_ = tty.Close()
	return strings.ReplaceAll(<-seen, "\r\n", "\n"), status
}

// TestATerminalHasColoursAndColumns, unless NO_COLOR is set.
func TestATerminalHasColoursAndColumns(t *testing.T) {
	e := newEndpoint(t)
	e.answer(422)
	r := startRelay(t, configFor("crm", e.URL))
	r.send(`{"event":"agent_termination","agent_id":1,"uii":"\u001b[31m"}`)
	eventually(t, "a dead letter", func() bool { return r.service("crm").DeadLetters() == 1 })

	screen, _ := onATerminal(t, 100, "status", "-c", r.path)
	if !strings.Contains(screen, green+"active"+plain) || !strings.Contains(screen, red+"1"+plain) {
		t.Errorf("status has no colours:\n%s", screen)
	}
	if screen, _ = onATerminal(t, 100, "dead", "show", "1", "-c", r.path); strings.Contains(screen, "\x1b") || !strings.Contains(screen, `"rejected"`) {
		t.Errorf("an event reaches the terminal as it came:\n%q", screen)
	}
	if screen, _ = onATerminal(t, 100, "dead", "replay", "--all", "-c", r.path); !strings.Contains(screen, "] replayed 1 of 1 ") {
		t.Errorf("no progress is shown:\n%q", screen)
	}
	t.Setenv("NO_COLOR", "1")
	if screen, _ = onATerminal(t, 100, "status", "-c", r.path); strings.Contains(screen, "\x1b") {
		t.Errorf("colours in spite of NO_COLOR:\n%q", screen)
	}
	if screen, status := onATerminal(t, 50, "help", "deliveries"); status != 0 || widest(screen) > 60 { // code is not broken
		t.Errorf("help is %d columns wide on a terminal of 50", widest(screen))
	}
}

// widest is the longest line of text, what is indented as code apart.
func widest(text string) int {
	most := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "    ") && !strings.Contains(line, "  ") { // nor a table
			most = max(most, len([]rune(line))-1)
		}
	}
	return most
}

// TestRunIsOneInvocation runs a command as the process would, which writes to its
// own output.
func TestRunIsOneInvocation(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdout
	t.Cleanup(func() { os.Stdout = before })
	os.Stdout = w
	for _, release := range []string{"1.2.3", ""} {
		if status := Run(t.Context(), release, []string{"version"}); status != exitDone {
			t.Errorf("exit %d", status)
		}
	}
	_ = w.Close()
	text := make([]byte, 4096)
	n, _ := r.Read(text)
	lines := strings.Split(string(text[:n]), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "relay 1.2.3 go") || !strings.HasPrefix(lines[1], "relay devel go") {
		t.Errorf("%q", lines)
	}
}
