package freeswitch

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"sync"
	"testing"

	"callrelay/relay/source/freeswitch/esl"
)

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{4}(-[0-9a-f]{4}-[0-9a-f]{12})`)
	agents = regexp.MustCompile(`\b1001\b`)
)

// burstCall is one of twenty calls at once to three agents, of whom each
// seventh gives up: what was recorded of one, with uuids and an agent of its own.
func burstCall(i int) (scenario string, own func([]byte) []byte) {
	scenario = "q_caller_hangs_up"
	if i%7 == 6 || i == 0 {
		scenario = "q_abandon"
	}
	return scenario, func(text []byte) []byte {
		text = uuids.ReplaceAll(text, fmt.Appendf(nil, "%04x$1", i))
		return agents.ReplaceAll(text, fmt.Appendf(nil, "100%d", 1+i%3))
	}
}

const burst = 20

// Twenty calls at once give what each gives alone: by documents that are posted
// side by side, by the event socket whose events come mixed, and nothing more
// by the documents after that.
func TestBurst(t *testing.T) {
	want := map[string]int{"queue_enter": 20, "queue_abandon": 3, "call_missed": 3, "call_end": 20, "post_call": 20, "agent_termination": 17}
	byDocuments := newTaker()
	postAll(t, &Intake{Converter: converter, Emit: singly(byDocuments.emit), Ledger: openLedger(t, &memory{})})
	checkBurst(t, byDocuments.events(), want)

	live, ledger := newTaker(), openLedger(t, &memory{})
	m := testMachine()
	var calls [burst][]esl.Event
	for i := range calls {
		scenario, own := burstCall(i)
		calls[i] = parsed(t, own(wire(t, scenario)))
	}
	for more, n := true, 0; more; n++ {
		more = false
		for _, events := range calls {
			if n >= len(events) {
				continue
			}
			more = true
			for _, o := range m.apply(events[n], events[n].Stamp()) {
				ledger.emit(singly(live.emit), nil)(t.Context(), [][]byte{o.Body})
			}
		}
	}
	maps.Copy(want, map[string]int{"call_start": 20, "agent_ring": 17, "dequeue": 17, "agent_connect": 17})
	checkBurst(t, live.events(), want)
	postAll(t, &Intake{Converter: converter, Emit: singly(live.emit), Ledger: ledger})
	checkBurst(t, live.events(), want)
}

// postAll posts the documents of all calls, each call's by itself.
func postAll(t *testing.T, n *Intake) {
	t.Helper()
	var posting sync.WaitGroup
	for i := range burst {
		scenario, own := burstCall(i)
		bodies := documents(t, scenario)
		posting.Go(func() {
			for _, body := range bodies {
				if w := post(n, own(body)); w.Code != http.StatusAccepted {
					t.Errorf("answer %d %s", w.Code, w.Body)
				}
			}
		})
	}
	posting.Wait()
}

// checkBurst holds how many of each event there are, each with an id of its
// own, and the recordings each with a segment of its own.
func checkBurst(t *testing.T, got []map[string]any, want map[string]int) {
	t.Helper()
	ids(t, got)
	recordings := map[any]any{}
	counts := map[string]int{}
	for _, e := range got {
		counts[fmt.Sprint(e["event"])]++
		if e["event"] != "agent_termination" {
			continue
		}
		if other, shared := recordings[e["recording"]]; shared || e["recording"] == nil {
			t.Errorf("recording %v of %v and %v", e["recording"], other, e["segment_id"])
		}
		recordings[e["recording"]] = e["segment_id"]
	}
	if !maps.Equal(counts, want) {
		t.Errorf("events %v, want %v", counts, want)
	}
}
