package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

// holding returns the files below dir that hold the text.
func holding(t *testing.T, dir, text string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAPersonIsErasedFromWhatIsKept(t *testing.T) {
	ok, sick, picky := trial.NewReceiver(t), trial.NewReceiver(t), trial.NewReceiver(t)
	sick.AnswerStatus(http.StatusServiceUnavailable)
	picky.AnswerStatus(http.StatusBadRequest)
	body := "debug = true\n"
	service := func(name, url, more string) string {
		return fmt.Sprintf("[[service]]\nname = %q\nurl = %q\njson = '{\"from\":\"#ani#\",\"call\":\"#uii#\"}'\n%s%s", name, url, body, more) +
			fmt.Sprintf("[[binding]]\nevent = [\"agent_termination\", \"post_disposition\"]\nservice = %q\n", name)
	}
	r := trial.Start(t, binary, service("ok", ok.URL, "")+service("sick", sick.URL, "retry_schedule = [\"1h\"]\n[service.breaker]\nfailures = 4\nopen = \"300ms\"\n")+service("picky", picky.URL, ""))
	event := func(name, call, ani string, n int) string {
		return fmt.Sprintf(`{"event":%q,"queue":"support","uii":%q,"ani":%q,"n":%d}`, name, call, ani, n)
	}
	const ann, bob = "202004220000000000000000000001", "202004220000000000000000000002"
	r.Accept(
		event("agent_termination", ann, "+15551230001", 1), event("agent_termination", bob, "+15551230002", 2),
		`{"event":"post_disposition","queue":"support","uii":"`+ann+`","agent_notes":"of the same call, without the number"}`,
		event("agent_termination", "202004220000000000000000000003", "1 (555) 123-0001", 3),
	)
	r.Until("all has gone its way", func() bool {
		total, _ := ok.Total()
		return total == 4 && r.Metric(`relay_dead_letters{reason="rejected",service="picky"}`) == "4" && sick.Refused() >= 4
	})
	r.Until("the transcripts are kept", func() bool {
		out, _ := r.Run("debug", "picky")
		return strings.Count(out, "POST") >= 4
	})

	dry, code := r.Run("erase", "--ani", "+1 555 123 0001", "--dry-run")
	if code != 0 || !strings.Contains(dry, "of 2 calls") || !strings.Contains(dry, "still owed to sick: 3 deliveries") {
		t.Fatalf("relay erase --dry-run = %d:\n%s", code, dry)
	}
	out, code := r.Run("erase", "--ani", "+1 555 123 0001")
	if code != 0 || !strings.Contains(out, "still owed to sick: 3 deliveries") || !strings.Contains(out, "DEAD     3") {
		t.Fatalf("relay erase = %d:\n%s", code, out)
	}
	if left := r.Metric(`relay_dead_letters{reason="rejected",service="picky"}`); left != "1" {
		r.Until("one dead letter is left", func() bool { return r.Metric(`relay_dead_letters{reason="rejected",service="picky"}`) == "1" })
	}
	sick.AnswerStatus(http.StatusOK)
	r.Until("only the other is delivered", func() bool { total, _ := sick.Total(); return total == 1 })
	r.Until("nothing is owed", func() bool { return r.Metric(`relay_pending{service="sick"}`) == "0" })
	if total, _ := sick.Total(); total != 1 {
		t.Errorf("%d deliveries to sick, want the other person's alone", total)
	}
	if out, code := r.Run("erase", "--ani", "+1 555 123 0001", "--dry-run"); code != 0 || !strings.Contains(out, "no record is kept") {
		t.Errorf("relay erase --dry-run afterwards = %d:\n%s", code, out)
	}
	r.Stop()
	if len(queuetest.Site("").Servers) > 0 {
		return // the files are the servers'
	}
	for _, text := range []string{ann, "15551230001", "123-0001", "without the number"} {
		if files := holding(t, r.Path("queue"), text); len(files) > 0 {
			t.Errorf("%q is still in %s", text, files)
		}
	}
	if files := holding(t, r.Path("queue"), bob); len(files) == 0 {
		t.Error("the other person was erased too")
	}
}
