package intake

import (
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"callrelay/config"
)

// shortDir is a folder whose path leaves room for a socket's.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "in")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSocketIsBoundWithModeAndGroup(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(shortDir(t), "new", "folder", "s")
	l, err := listenSocket(config.Intake{Socket: path, SocketMode: 0o620, SocketGroup: me.Gid})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o620 {
		t.Errorf("mode = %v", info.Mode())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there after Close")
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	l, err := listenSocket(config.Intake{Socket: path, SocketMode: 0o600})
	if err != nil {
		t.Fatalf("a stale socket is in the way: %v", err)
	}
	_ = l.Close()
}

func TestSocketThatMayNotBeTaken(t *testing.T) {
	dir := shortDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	live, err := net.Listen("unix", at("live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	relays, err := listenSocket(config.Intake{Socket: at("relay"), SocketMode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	defer relays.Close()
	for _, err := range []error{
		os.WriteFile(at("file"), []byte("precious"), 0o600), os.Mkdir(at("folder"), 0o700), os.Symlink("live", at("link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		intake config.Intake
		want   string
	}{
		{"somebody else's", config.Intake{Socket: at("live")}, "live: another process listens there"},
		{"another relay's", config.Intake{Socket: at("relay")}, "relay: another relay has it"},
		{"a file", config.Intake{Socket: at("file")}, "there is a file, which is not touched"},
		{"a folder", config.Intake{Socket: at("folder")}, "there is a folder"},
		{"a symbolic link", config.Intake{Socket: at("link")}, "there is a symbolic link"},
		{"a path that is too long", config.Intake{Socket: at(strings.Repeat("x", 108))}, "at most 107"},
		{"a group that is not there", config.Intake{Socket: at("s"), SocketGroup: "no-such-group"}, "no-such-group"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, _ := os.Lstat(test.intake.Socket)
			_, err := listenSocket(test.intake)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want …%s…", err, test.want)
			}
			after, _ := os.Lstat(test.intake.Socket)
			if before != nil && (after == nil || !os.SameFile(before, after)) {
				t.Error("what was there is gone")
			}
		})
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	r := start(t, "")
	_, err := New(Options{Config: r.table.Load().Config.Intake, Queue: r.queue, Table: r.table.Load})
	if err == nil || !strings.Contains(err.Error(), "another relay has it") {
		t.Errorf("error = %v", err)
	}
	c := r.dial(t)
	c.send("{\"event\":\"dequeue\",\"id\":\"a\"}\n")
	if got := c.line(); got != accepted("a") {
		t.Errorf("the first server answers %s", got)
	}
}

func TestServerOnAGivenListener(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	given, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{queue: newFakeQueue(), path: path}
	table := tableOf(t, "")
	r.table.Store(table)
	if r.Server, err = New(Options{Config: table.Config.Intake, Queue: r.queue, Table: r.table.Load, Listener: given}); err != nil {
		t.Fatal(err)
	}
	r.run(t)
	c := r.dial(t)
	c.send("{\"event\":\"dequeue\",\"id\":\"a\"}\n")
	if got := c.line(); got != accepted("a") {
		t.Errorf("answer = %s", got)
	}
	if _, err := os.Lstat(table.Config.Intake.Socket); err == nil {
		t.Error("the socket of the configuration is bound too")
	}
}

func TestPeers(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(me.Uid)
	for _, test := range []struct {
		name  string
		users string
		ok    bool
	}{
		{"everybody", ``, true},
		{"by name", `"nobody-here", "` + me.Username + `"`, true},
		{"by number", `"` + me.Uid + `"`, true},
		{"somebody else", `"` + strconv.Itoa(uid+1) + `"`, false},
		{"a user who is not there", `"nobody-here"`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, "allow_users = ["+test.users+"]")
			c := r.dial(t)
			c.send("{\"event\":\"dequeue\",\"id\":\"a\"}\n")
			want, status := accepted("a"), 202
			if !test.ok {
				want, status = `{"error":"this user may not send events","status":403}`, 403
			}
			if got := c.line(); got != want {
				t.Errorf("answer = %s, want %s", got, want)
			}
			if resp, body := post(t, r.over(t), mediaJSON, `{"event":"dequeue"}`); resp.StatusCode != status {
				t.Errorf("answer by HTTP = %d %s, want %d", resp.StatusCode, body, status)
			}
			if written := len(r.queue.records()) > 0; written != test.ok {
				t.Errorf("written: %v", written)
			}
		})
	}
}
