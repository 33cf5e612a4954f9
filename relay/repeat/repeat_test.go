package repeat

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lockedBuffer is written to by timers while the test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// pass lets time pass in a bubble, with all that is due by then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestARepeatIsLoggedOnceAndThenAsANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text lockedBuffer
		log := slog.New(NewHandler(slog.NewJSONHandler(&text, nil))).With("part", "queue")
		for i := range 10_000 {
			log.Warn("queue not restarted yet", "err", "disk full", "elapsed", time.Duration(i))
			log.Info("event accepted")
			pass(250 * time.Millisecond) // 2,500 s in all
		}
		log.Warn("queue not restarted yet", "err", "permission denied")
		log.With("part", "source").Warn("queue not restarted yet", "err", "disk full")
		pass(Last)
		got := text.String()
		lines := strings.Count(got, "disk full")
		if n := strings.Count(got, "event accepted"); n != 10_000 {
			t.Errorf("%d records of another level, want all", n)
		}
		if lines < 5 || lines > 10 || strings.Count(got, "permission denied") != 1 {
			t.Errorf("%d records of 10,000 warnings, want a handful:\n%s", lines, warnings(got))
		}
		if !strings.Contains(got, `"repeated":239`) {
			t.Errorf("no record tells of the repeats of the first minute:\n%s", warnings(got))
		}
		pass(2 * Last)
		log.Warn("queue not restarted yet", "err", "disk full")
		if n := strings.Count(text.String(), "disk full"); n != lines+1 {
			t.Error("a warning that was over for long is not logged when it comes back")
		}
		pass(2 * Last)
	})
}

func warnings(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, slog.LevelWarn.String()) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestAKeySaysWhatIsARepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text lockedBuffer
		log := slog.New(NewHandler(slog.NewJSONHandler(&text, nil)))
		for _, err := range []string{"a", "b", "c"} {
			log.Warn("attempt failed", "service", "crm", "err", err, Key("crm", 503))
			log.Warn("attempt failed", "service", "erp", "err", err, Key("erp", 503))
			log.Error("reload refused", "err", "the same", Key())
		}
		if got := strings.Count(text.String(), "attempt failed"); got != 2 {
			t.Errorf("%d records of failures, want 1 of each service", got)
		}
		if got := strings.Count(text.String(), "reload refused"); got != 3 {
			t.Errorf("%d records of refusals, want all 3", got)
		}
		pass(First + time.Second)
		if got := text.String(); strings.Count(got, `"err":"c","repeated":2}`) != 2 || strings.Contains(got, keyName+`":`) {
			t.Errorf("after a minute:\n%s", got)
		}
		pass(3 * Last)
	})
}
