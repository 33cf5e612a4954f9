package callserver

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	storm     = 300                    // calls
	stormPace = 200 * time.Millisecond // between two
)

// TestStorm places calls of five kinds, kills the relay among them, and
// restarts Asterisk: each phone that spoke, as the channel event log has it, is
// one segment, or a gap counts it; nobody else is one.
func TestStorm(t *testing.T) {
	relay, receiver := besidePBX(t)
	w := newWorld(t)
	log := filepath.Join(home(t), "root/cs/log/cel-custom/Master.csv")
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	for i := range storm {
		var l *line
		switch i % 5 {
		case 0:
			l = w.in("509")
		case 1:
			l = w.in(fmt.Sprintf("20%d", 1+i/5%4))
		case 2:
			l = w.phone[fmt.Sprintf("20%d", 1+i/5%4)].call("9555")
		case 3:
			l = w.phone[fmt.Sprintf("20%d", 1+i/5%4)].call(fmt.Sprintf("20%d", 1+(i/5+1)%4))
		case 4:
			l = w.in("600")
		}
		go func() { <-time.After(1800 * time.Millisecond); l.bye() }()
		switch i {
		case 100:
			relay.Kill()
		case 125: // 5 s later: calls have come and gone
			relay.Start()
		case 200:
			restart := exec.Command("chroot", filepath.Join(home(t), "root"), "asterisk", "-C", "/cs/etc/asterisk.conf", "-rx", "core restart now")
			if out, err := restart.CombinedOutput(); err != nil {
				t.Fatalf("restart: %v: %s", err, out)
			}
			<-time.After(8 * time.Second)
		}
		<-time.After(stormPace)
	}
	<-time.After(25 * time.Second)
	relay.Until("all to be delivered", func() bool { return relay.Metric(`relay_pending{service="all"}`) == "0" })
	all := webhooks(t, receiver)
	spoke, calls := logOf(t, log)
	segments, missing, unseen := map[string]int{}, 0, 0
	for _, g := range only(all, "relay_gap") {
		t.Logf("gap: %d segments missing, %d channels unheard", g.Missing, g.Unheard)
		missing += g.Missing + g.Unheard
	}
	devices := map[string]int{}
	for _, g := range only(all, "agent_termination") {
		segments[g.UII+"/"+g.Segment]++
		devices[g.Device]++
		calls[g.UII+" "+g.Device]--
		if g.Start == 0 || g.End == 0 {
			unseen++
		}
	}
	latency(t, receiver)
	total := 0
	for device, n := range spoke {
		total += n
		if devices[device] > n {
			t.Errorf("%s: %d segments, %d conversations", device, devices[device], n)
		}
	}
	for id, n := range segments {
		if n > 1 {
			t.Errorf("segment %s ended %d times", id, n)
		}
	}
	t.Logf("%d conversations of phones, %d segments, %d of them in part, %d counted as missing", total, len(segments), unseen, missing)
	for call, n := range calls {
		if n != 0 {
			t.Logf("%s: the log has %d more", call, n)
		}
	}
	if len(segments)+missing < total {
		t.Errorf("%d segments and %d counted, want %d together", len(segments), missing, total)
	}
	if more := len(segments) + missing - total; more > 2*25 { // a trunk, or a phone that rang in vain
		t.Errorf("%d more counted than spoke", more)
	}
}

// logOf counts the channels of each phone that were in a bridge with another
// one, as the channel event log has it, and those of each call.
func logOf(t *testing.T, file string) (count, calls map[string]int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	entered := map[string]bool{}
	count, calls = map[string]int{}, map[string]int{}
	bridges, at := map[string]int{}, map[string]time.Time{}
	brief := map[string]bool{} // answered in the same moment as another one, and heard nobody
	for _, row := range rows {
		if len(row) < 11 {
			continue
		}
		stamp, _ := time.Parse("2006-01-02 15:04:05.000000", row[0])
		switch row[1] {
		case "BRIDGE_ENTER":
			bridges[row[10]]++
			at[row[2]] = stamp
		case "BRIDGE_EXIT":
			brief[row[2]] = stamp.Sub(at[row[2]]) < 20*time.Millisecond
		}
	}
	for _, row := range rows {
		if len(row) < 11 || row[1] != "BRIDGE_ENTER" || !strings.HasPrefix(row[4], "PJSIP/2") || entered[row[2]] || brief[row[2]] || bridges[row[10]] < 2 {
			continue
		}
		entered[row[2]] = true
		device := row[4][:strings.LastIndex(row[4], "-")]
		count[device]++
		calls[row[3]+" "+device]++
	}
	return count, calls
}
