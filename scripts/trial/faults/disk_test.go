package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

// small mounts a filesystem of 64 MiB, or says why it cannot.
func small(t *testing.T) string {
	queuetest.NeedsFolder(t)
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("relay", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Logf("a small filesystem cannot be mounted here: %v", err)
		return ""
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func queueIn(dir string) string {
	return fmt.Sprintf("[queue]\ndir = %q\nlisten = \"\"\nmax_bytes = \"32MiB\"\ndead_max_bytes = \"4MiB\"\n", filepath.Join(dir, "queue"))
}

func TestAFullDiskRefusesInTimeAndHealsWhenThereIsRoom(t *testing.T) {
	dir := small(t)
	if dir == "" {
		return
	}
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, queueIn(dir)+trial.Service("crm", at.URL, ""))
	var book ledger
	book.sendSome(t, r, "before")
	hog := filepath.Join(dir, "hog")
	fill(t, hog)
	r.Until("intake refuses", func() bool {
		status, answer := r.Post("application/json", `{"event":"agent_termination","id":"full"}`)
		return status == 503 && strings.Contains(answer, "error")
	})
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	r.Until("intake takes events again", func() bool {
		status, _ := r.Post("application/json", `{"event":"agent_termination","id":"room-again"}`)
		return status == 202
	})
	book.sendSome(t, r, "after")
	book.settle(t, at, 30*time.Second)
}

func TestAReadOnlyDiskIsSurvived(t *testing.T) {
	dir := small(t)
	if dir == "" {
		return
	}
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, queueIn(dir)+trial.Service("crm", at.URL, ""))
	var book ledger
	book.sendSome(t, r, "before")
	// Files that are open for writing forbid a plain remount, so the limit of the filesystem is set below what it holds.
	if err := syscall.Mount("relay", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m,nr_inodes=1"); err == nil {
		t.Log("no new file can be made now")
	}
	fill(t, filepath.Join(dir, "queue", "hog"))
	stop := make(chan struct{})
	senders := book.load(r, "during", 4, stop)
	r.Until("health fails or intake refuses", func() bool {
		status, _ := r.Post("application/json", `{"event":"agent_termination","id":"during"}`)
		return status == 503
	})
	close(stop)
	senders.Wait()
	_ = os.Remove(filepath.Join(dir, "queue", "hog"))
	_ = syscall.Mount("relay", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m,nr_inodes=10000")
	r.Until("intake takes events again", func() bool {
		status, _ := r.Post("application/json", `{"event":"agent_termination","id":"again"}`)
		return status == 202
	})
	book.settle(t, at, 30*time.Second)
}

// sendSome has a hundred events accepted and entered.
func (l *ledger) sendSome(t *testing.T, r *trial.Relay, prefix string) {
	t.Helper()
	ids := r.Accept(trial.Numbered(prefix, "agent_termination", 100)...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, ids...)
}

// fill writes to path until the filesystem has no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Log(err)
		return
	}
	defer f.Close() //nolint:errcheck // it is full
	for _, block := range []int{1 << 20, 4 << 10} {
		for chunk := make([]byte, block); err == nil; {
			_, err = f.Write(chunk)
		}
		err = nil
	}
}
