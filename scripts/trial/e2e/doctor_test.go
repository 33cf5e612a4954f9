package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

func TestTheDoctorLooksWhetherTheRelayRunsOrNot(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	r.Run("pause", "crm")
	ids := r.Accept(trial.Numbered("x", "agent_termination", 30)...)
	if out, code := r.Run("doctor"); code != 0 || !strings.Contains(out, "30 owed, 0 parked, 0 dead letters") || !strings.Contains(out, "runs") {
		t.Errorf("relay doctor of a running relay = %d:\n%s", code, out)
	}
	r.Kill()
	if out, code := r.Run("doctor"); code != 0 || !strings.Contains(out, "30 owed, 0 parked, 0 dead letters") || !strings.Contains(out, "does not run") {
		t.Errorf("relay doctor after a crash = %d:\n%s", code, out)
	}
	r.Start() // what it looked at is as it was
	r.Run("resume", "crm")
	r.Until("all arrive", func() bool { _, n := at.Total(); return n == len(ids) })
	r.Stop()
}

func TestTheDoctorFindsADamagedBlock(t *testing.T) {
	queuetest.NeedsFolder(t)
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	ids := r.Accept(trial.Numbered("x", "agent_termination", 30)...)
	r.Until("all arrive", func() bool { _, n := at.Total(); return n == len(ids) })
	r.Stop()

	block := filepath.Join(r.Path("queue"), "jetstream", "$G", "streams", "EVENTS", "msgs", "1.blk")
	data, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0xff
	if err := os.WriteFile(block, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := r.Run("doctor"); code != 1 || !strings.Contains(out, "29 of 30 records can be read") || !strings.Contains(out, "try: copy the folder away") {
		t.Errorf("relay doctor of a damaged queue = %d:\n%s", code, out)
	}
	if after, err := os.ReadFile(block); err != nil || string(after) != string(data) {
		t.Errorf("the doctor changed the damaged file: %v", err)
	}
	if out, code := r.Run("doctor", "--json"); code != 1 || !strings.Contains(out, `"level":"fault"`) {
		t.Errorf("relay doctor --json = %d:\n%s", code, out)
	}
}
