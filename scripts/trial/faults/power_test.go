package faults

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

func TestPowerCutsLoseNothingAcknowledged(t *testing.T) {
	queuetest.NeedsFolder(t)
	tool := os.Getenv("FAULTS_POWERFS")
	if tool == "" {
		t.Log("FAULTS_POWERFS is not set: no power was cut")
		return
	}
	for _, mode := range [][]string{{"-meta", "ordered"}, {"-meta", "ordered", "-torn"}, {"-meta", "strict"}, {"-meta", "strict", "-torn"}, {"-meta", "posix"}} {
		t.Run(strings.Join(mode, " "), func(t *testing.T) { cutPower(t, tool, mode, size(2, 20)) })
	}
}

// cutPower crashes the filesystem below a loaded relay again and again and counts what arrives in the end.
func cutPower(t *testing.T, tool string, mode []string, cuts int) {
	at := trial.NewReceiver(t)
	base := t.TempDir()
	backing, mount := filepath.Join(base, "durable"), filepath.Join(base, "mnt")
	for _, dir := range []string{backing, mount} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r := trial.New(t, binary, fmt.Sprintf("[queue]\ndir = %q\nlisten = \"\"\n", filepath.Join(mount, "queue"))+trial.Service("crm", at.URL, ""))
	var book ledger
	for cut := range cuts {
		power := powerOn(t, tool, backing, mount, mode)
		r.Start()
		senders := book.load(r, fmt.Sprintf("cut%d", cut), 4, nil)
		<-time.After(time.Duration(200+rand.IntN(600)) * time.Millisecond)
		if err := power.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		_ = power.Wait()
		r.Kill()
		senders.Wait()
	}
	power := powerOn(t, tool, backing, mount, mode)
	r.Start()
	book.settle(t, at, time.Minute)
	r.Stop()
	_ = power.Process.Signal(syscall.SIGTERM)
	_ = power.Wait()
}

// powerOn mounts what is durable and returns the process that serves it.
func powerOn(t *testing.T, tool, backing, mount string, mode []string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(tool, append([]string{"-backing", backing, "-mount", mount}, mode...)...)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = syscall.Unmount(mount, syscall.MNT_DETACH) })
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "serving") {
		t.Fatalf("%s: %q %v", tool, line, err)
	}
	return cmd
}
