package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

func TestTwelveKillsUnderLoadLoseNothing(t *testing.T) {
	const rounds, concurrency = 12, 8
	at := trial.NewReceiver(t)
	at.Answer(func(http.ResponseWriter, *http.Request) { <-time.After(time.Millisecond) }) // so that a kill finds some in flight
	r := trial.Start(t, binary, trial.Service("crm", at.URL, fmt.Sprintf("concurrency = %d", concurrency)))
	var mu sync.Mutex
	var acked []string
	for round := range rounds {
		var senders sync.WaitGroup
		for s := range 4 {
			senders.Go(func() {
				l, err := r.Dial()
				if err != nil {
					return // killed before it was dialled
				}
				defer l.Close()
				for i := 0; ; i++ {
					replies, err := l.Send(trial.Numbered(fmt.Sprintf("k%d-%d-%d", round, s, i), "agent_termination", 20)...)
					mu.Lock()
					for _, a := range replies {
						if a.Accepted {
							acked = append(acked, a.ID)
						}
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		<-time.After(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		r.Kill()
		senders.Wait()
		r.Start()
	}
	r.Until("every acknowledged event has arrived", func() bool { return at.Missing(acked) == 0 })
	total, distinct := at.Total()
	t.Logf("%d acknowledged, %d arrived, %d of them again", len(acked), distinct, total-distinct)
	// Repeated may be what was in flight and what ended in the few milliseconds before the floors were noted.
	if again, most := total-distinct, rounds*(concurrency+250); again > most {
		t.Errorf("%d deliveries were repeated, want at most %d", again, most)
	}
	if len(acked) == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

func TestACleanStopRepeatsNothing(t *testing.T) {
	at := trial.NewReceiver(t)
	at.Answer(func(http.ResponseWriter, *http.Request) { <-time.After(2 * time.Millisecond) })
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	var ids []string
	for round := range 3 {
		ids = append(ids, r.Accept(trial.Numbered(fmt.Sprintf("c%d", round), "agent_termination", 300)...)...)
		if code := r.Stop(); code != 0 {
			t.Fatalf("exit status %d:\n%s", code, r.Log())
		}
		r.Start()
	}
	r.Until("all arrive", func() bool { _, distinct := at.Total(); return distinct == len(ids) })
	if total, distinct := at.Total(); total != distinct {
		t.Errorf("%d deliveries of %d events: a clean stop repeated some", total, distinct)
	}
}
