package e2e

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

func TestABackupBringsBackWhatWasOwed(t *testing.T) {
	queuetest.NeedsFolder(t)
	at := trial.NewReceiver(t)
	config := trial.Service("crm", at.URL, "")
	r := trial.Start(t, binary, config)
	done := r.Accept(trial.Numbered("done", "agent_termination", 50)...)
	r.Until("they are delivered", func() bool { n, _ := at.Total(); return n == len(done) })
	at.AnswerStatus(http.StatusUnprocessableEntity)
	r.Accept(trial.Numbered("dead", "agent_termination", 5)...)
	r.Until("they are dead letters", func() bool {
		return r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "5"
	})
	r.Run("pause", "crm")
	owed := r.Accept(trial.Numbered("owed", "agent_termination", 200)...)
	if out, code := r.Run("backup", r.Path("copy")); code != 0 || !strings.Contains(out, "backed up ") {
		t.Fatalf("relay backup = %d: %s", code, out)
	}
	if out, code := r.Run("backup", r.Path("copy")); code != 1 || !strings.Contains(out, "is not empty") {
		t.Errorf("a second backup into the same folder = %d: %s", code, out)
	}
	if out, code := r.Run("restore", r.Path("copy")); code != 1 || !strings.Contains(out, "is not empty") {
		t.Errorf("relay restore over a queue = %d: %s", code, out)
	}
	r.Kill()
	if err := os.RemoveAll(r.Path("queue")); err != nil { // the disk is gone
		t.Fatal(err)
	}
	if out, code := r.Run("restore", r.Path("copy")); code != 0 {
		t.Fatalf("relay restore = %d: %s", code, out)
	}
	r.Start()
	if out, _ := r.Run("status"); !strings.Contains(out, "paused") {
		t.Errorf("the pause is lost:\n%s", out)
	}
	at.AnswerStatus(http.StatusOK)
	r.Run("resume", "crm")
	r.Until("what was owed arrives", func() bool { n, _ := at.Total(); return n >= len(done)+len(owed) })
	r.Until("nothing waits", func() bool { return r.Metric(`relay_pending{service="crm"}`) == "0" })
	if n := at.Missing(owed); n > 0 {
		t.Errorf("%d of %d never arrived", n, len(owed))
	}
	if total, distinct := at.Total(); total != distinct || total != len(done)+len(owed) {
		t.Errorf("%d deliveries of %d events, want %d: what was delivered comes not again", total, distinct, len(done)+len(owed))
	}
	if got := r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`); got != "5" {
		t.Errorf("%s dead letters, want 5", got)
	}
}

func TestWhatRootRestoresBelongsToTheRelaysUser(t *testing.T) {
	queuetest.NeedsFolder(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const nobody = 65534
	r := trial.Start(t, binary, trial.Service("crm", "http://127.0.0.1:1", ""))
	r.Accept(trial.Numbered("owed", "agent_termination", 5)...)
	r.Run("backup", r.Path("copy"))
	r.Kill()
	if err := os.RemoveAll(r.Path("queue")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.Path("queue"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(r.Path("queue"), nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.Path("."), 0o711); err != nil {
		t.Fatal(err)
	}
	if out, code := r.Run("restore", r.Path("copy")); code != 0 {
		t.Fatalf("relay restore = %d: %s", code, out)
	}
	err := filepath.WalkDir(r.Path("queue"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s is not nobody's: %v, %v", path, info, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
