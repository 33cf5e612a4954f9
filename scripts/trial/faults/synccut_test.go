package faults

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/queuetest"
)

// TestAFailedSyncIsNotBelievedAfterAPowerCut has a sync fail, the relay heal, and
// the power fail then: what the kernel would not write a second time is gone.
func TestAFailedSyncIsNotBelievedAfterAPowerCut(t *testing.T) {
	queuetest.NeedsFolder(t)
	tool := powerfs(t)
	if why := canJudge(); why != "" {
		t.Skip(why)
	}
	base := t.TempDir()
	backing, mount := filepath.Join(base, "durable"), filepath.Join(base, "mnt")
	for _, dir := range []string{backing, mount} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mode := []string{"-meta", "strict"}
	r, at := newCalls(t, mount)
	w := &callWork{r: r, began: time.Now().Add(-time.Second), prefix: "sync", accepted: map[string]bool{}}
	fired := 0
	rounds := size(2, 40)
	for n := range rounds {
		power := powerOn(t, tool, backing, mount, mode)
		j := &judge{dir: filepath.Join(mount, "queue"), kind: "sync", nth: 1 + rand.IntN(120), errno: syscall.EIO, socket: r.Path("judge.sock")}
		j.launch(t, r)
		if w.answers(r.Ended(), startTime) {
			w.loadUntil(j)
			if !w.answers(r.Ended(), healTime) {
				t.Errorf("round %d: does not heal: %s", n, tail(r))
			}
			w.load()
		}
		if j.fired() {
			fired++
		}
		if err := power.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		_ = power.Wait()
		r.Kill()
	}
	power := powerOn(t, tool, backing, mount, mode)
	r.Launch()
	if !w.answers(r.Ended(), startTime) {
		t.Fatalf("does not start: %s", tail(r))
	}
	w.settle(t, at)
	t.Logf("%d rounds, a sync failed in %d of them, %d acknowledged, %d refused, 0 lost", rounds, fired, len(w.accepted), w.refused)
	r.Stop()
	_ = power.Process.Signal(syscall.SIGTERM)
	_ = power.Wait()
}
