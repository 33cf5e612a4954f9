package faults

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

const (
	roomTime  = 10 * time.Second // from room on the disk to the first event accepted
	eventSize = 32 << 10
)

// TestADiskThatOthersFill shares a real filesystem with others. A relay that owes
// nothing gives up what it keeps for replay and goes on accepting; one that owes
// much refuses, loses nothing, and accepts again soon after there is room.
func TestADiskThatOthersFill(t *testing.T) {
	queuetest.NeedsFolder(t)
	if os.Getenv("FAULTS") == "" {
		t.Skip("FAULTS is not set: no disk was filled")
	}
	d := newDisk(t, int64(size(100, 300))<<20)
	d.givesUpHistory()
	d.owesMuch()
}

// A disk is a small filesystem with the queue of a relay and a file of others.
type disk struct {
	t    *testing.T
	dir  string
	size int64
	r    *trial.Relay
	at   *trial.Receiver
	book ledger
	down atomic.Bool // the endpoint answers 503
	sent int
}

// newDisk makes and mounts an ext4, else a tmpfs; nil: neither can be had here.
func newDisk(t *testing.T, size int64) *disk {
	base := t.TempDir()
	d := &disk{t: t, dir: filepath.Join(base, "disk"), size: size, at: trial.NewReceiver(t)}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(base, "image")
	out, err := exec.Command("sh", "-c", fmt.Sprintf("truncate -s %d %s && mkfs.ext4 -q -m 0 %[2]s && mount -o loop %[2]s %s", size, image, d.dir)).CombinedOutput()
	if err != nil {
		t.Logf("no ext4 in a file: %s", out)
		if err := syscall.Mount("relay", d.dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
			t.Skipf("nor a tmpfs, so no disk was filled: %v", err)
		}
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", d.dir).Run(); err != nil {
			_ = syscall.Unmount(d.dir, syscall.MNT_DETACH)
		}
	})
	d.at.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if d.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	d.r = trial.Start(t, binary, fmt.Sprintf(`[queue]
dir = %q
listen = ""
max_bytes = "%d"
dead_max_bytes = "4MiB"
keep = "24h"
[defaults]
retry_schedule = ["200ms"]
[defaults.breaker]
failures = 10000
minimum = 10000
`, filepath.Join(d.dir, "queue"), size)+trial.Service("crm", d.at.URL, ""))
	return d
}

// post sends one event and returns the status of the answer, and its Retry-After.
func (d *disk) post() (status int, retryAfter string) {
	d.sent++
	id := fmt.Sprint("filled-", d.sent)
	client := d.r.Client()
	defer client.CloseIdleConnections()
	resp, err := client.Post("http://relay/v1/events", "application/json",
		strings.NewReader(fmt.Sprintf(`{"event":"agent_termination","id":%q,"n":1,"pad":%q}`, id, strings.Repeat("p", eventSize))))
	if err != nil {
		d.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusAccepted {
		d.book.add([]trial.Reply{{Accepted: true, ID: id}})
	}
	return resp.StatusCode, resp.Header.Get("Retry-After")
}

func (d *disk) accept(bytes int64) {
	d.t.Helper()
	for range bytes / eventSize {
		d.r.Until("an event is accepted: there is room", func() bool { status, _ := d.post(); return status == http.StatusAccepted })
	}
}

// String says how the disk is used.
func (d *disk) String() string {
	return fmt.Sprintf("%d of %d MiB free, the queue counts %d MiB", d.free()>>20, d.size>>20, d.held()>>20)
}

func (d *disk) free() int64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &fs); err != nil {
		d.t.Fatal(err)
	}
	return int64(fs.Bavail) * fs.Bsize
}

func (d *disk) held() int64 {
	n, err := strconv.ParseFloat(d.r.Metric("relay_queue_bytes"), 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return int64(n)
}

// others write until so much is free.
func (d *disk) others(free int64) {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.dir, "others"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was synced
	for chunk := make([]byte, 1<<20); d.free() > free; {
		_, err := f.Write(chunk[:max(1, min(int64(len(chunk)), d.free()-free))])
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			return // that is full
		}
	}
}

func (d *disk) cleared() {
	if err := os.Remove(filepath.Join(d.dir, "others")); err != nil {
		d.t.Fatal(err)
	}
}

// givesUpHistory has others take what is left of the disk, first but for a part of
// the reserve and then to its last byte, while the relay owes nothing and takes
// one event after the other.
func (d *disk) givesUpHistory() {
	for _, free := range []int64{d.size / 20, 0} {
		d.accept(d.size / 4)
		d.settled()
		before := d.held()
		d.t.Logf("history: %s", d)
		d.others(free)
		refused, began := 0, time.Now()
		for accepted := 0; accepted < 20; {
			switch status, _ := d.post(); {
			case status == http.StatusAccepted:
				accepted++
			case time.Since(began) > roomTime:
				d.t.Fatalf("status %d %v after others had left %d MiB, though nothing is owed: %s\n%s", status, roomTime, free>>20, d, tail(d.r))
			default:
				refused++
				<-time.After(100 * time.Millisecond)
			}
		}
		d.t.Logf("others left %d MiB: 20 accepted after %v, %d refused before; %s", free>>20, time.Since(began).Round(time.Millisecond), refused, d)
		if refused > 0 && free > 0 {
			d.t.Errorf("%d events were refused, though nothing was owed and others had left %d MiB", refused, free>>20)
		}
		if after := d.held(); after >= before {
			d.t.Errorf("the queue keeps %d MiB, %d before", after>>20, before>>20)
		}
		d.settled()
		d.cleared()
	}
}

// owesMuch has others take the disk while the endpoint is away.
func (d *disk) owesMuch() {
	d.down.Store(true)
	d.accept(d.size / 3)
	for _, free := range []int64{d.size / 20, 0} {
		d.others(free)
		refused := 0
		d.r.Until("an event is refused", func() bool {
			status, retryAfter := d.post()
			if status != http.StatusAccepted && (status != http.StatusServiceUnavailable || retryAfter == "") {
				d.t.Fatalf("refused with %d, Retry-After %q", status, retryAfter)
			}
			refused++
			return status == http.StatusServiceUnavailable
		})
		held := d.held()
		<-time.After(3 * time.Second)
		if d.held() < held {
			d.t.Errorf("what is owed went from %d to %d bytes", held, d.held())
		}
		d.t.Logf("others left %d MiB while much is owed: refused with 503 after %d more; %s", free>>20, refused-1, d)
		d.cleared()
		began := time.Now()
		d.r.Until("events are accepted again", func() bool { status, _ := d.post(); return status == http.StatusAccepted })
		took := time.Since(began)
		d.t.Logf("accepted again %v after there was room", took.Round(time.Millisecond))
		if took > roomTime {
			d.t.Errorf("accepted again only %v after there was room", took)
		}
	}
	d.down.Store(false)
	d.settled()
}

// settled waits until all that was accepted has arrived.
func (d *disk) settled() {
	d.t.Helper()
	d.book.settle(d.t, d.at, 2*time.Minute)
}
