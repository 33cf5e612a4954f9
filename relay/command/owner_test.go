package command

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"callrelay/queue/queuetest"
)

// nobody is a user without rights.
const nobody = 65534

// TestMain is also a relay, for tests that need a process of its own.
func TestMain(m *testing.M) {
	if args := os.Getenv("RELAY_T_ARGS"); args != "" {
		if os.Getenv("RELAY_T_NOBODY") != "" { // by now: nobody may not reach the test's program
			if err := become(&syscall.Stat_t{Uid: nobody, Gid: nobody}); err != nil {
				panic(err)
			}
		}
		a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, version: "devel"}
		os.Exit(a.execute(context.Background(), strings.Fields(args)))
	}
	os.Exit(m.Run())
}

// inAProcess runs a command as one of root, or of nobody.
func inAProcess(t *testing.T, user string, args ...string) result {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RELAY_T_ARGS="+strings.Join(args, " "), "RELAY_T_NOBODY="+user)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// TestRootLeavesFilesToTheRelay has root restore a backup that only root may read
// into a folder of the relay's user, who must be able to start on it; another user
// may not even look.
func TestRootLeavesFilesToTheRelay(t *testing.T) {
	queuetest.NeedsFolder(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	backup := filepath.Join(t.TempDir(), "backup")
	startRelay(t, configFor("crm", newEndpoint(t).URL)).run([]step{{"a backup", "", "backup " + backup, 0, "backed up ", ""}})

	path := writeConfig(t, idleConfig)
	dir := filepath.Dir(path)
	for name, mode := range map[string]fs.FileMode{path: 0o644, dir: 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if got := inAProcess(t, "", "restore", backup, "-c", path); got.status != 0 || !strings.HasPrefix(got.out, "restored ") {
		t.Fatalf("restore: %+v", got)
	}
	err := filepath.WalkDir(filepath.Join(dir, "run"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s belongs to %d", name, info.Sys().(*syscall.Stat_t).Uid)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := inAProcess(t, "nobody", "doctor", "-c", path); got.status != 0 || !strings.Contains(got.out, "does not run") {
		t.Errorf("the relay's user: %+v", got)
	}
	if err := os.Chown(filepath.Join(dir, "run", "queue"), 0, 0); err != nil {
		t.Fatal(err)
	}
	if got := inAProcess(t, "nobody", "doctor", "-c", path); got.status != 1 || !strings.Contains(got.err, "run/queue belongs to user root\ntry: as that user or as root\n") {
		t.Errorf("another user: %+v", got)
	}
}
