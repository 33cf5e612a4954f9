package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// binary is the relay under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(trial.RunTests(m, &binary)) }

// size is short in a plain go test and long with EVENTSOCKET=long.
func size(short, long int) int {
	if os.Getenv("EVENTSOCKET") == "long" {
		return long
	}
	return short
}

const (
	last     = 1000 // number of the round that comes after all faults, and of none before
	maxHeld  = 128  // MiB
	settings = `[[source]]
name = "fs"
type = "freeswitch"
address = %q
password = %q
[[service]]
name = "all"
url = %q
concurrency = 1
json = '{"event":"#event#","uii":"#uii#","segment":"#segment_id#","result":"#call_result#","gap":{"reason":"#reason#","from":"#from#","to":"#to#","found":"#segments_found|number#","checked":"#channels_compared#","count":"#count|number#","ended":"#segments_ended|number#","missing":"#segments_missing|number#","abandons":"#abandons_missing|number#","unheard":"#channels_unheard|number#"}}'
[[binding]]
event = ["call_start", "call_end", "post_call", "call_missed", "queue_enter", "dequeue", "queue_abandon", "agent_ring", "agent_ring_end", "agent_connect", "agent_termination", "transfer_termination", "relay_gap"]
service = "all"
`
)

// said are the events that tell of calls.
const said = `CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_PARK
	CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE RECORD_START RECORD_STOP CUSTOM HEARTBEAT`

// transcript is what is said in a recorded one, and its legs.
type transcript struct {
	name   string
	events [][]byte
	legs   map[string]string // by uuid: the scenario and a letter
}

// recorded returns every third transcript, or all.
var recorded = sync.OnceValues(func() (all []transcript, err error) {
	names, err := filepath.Glob("../../../relay/source/freeswitch/testdata/esl/*.plain.gz")
	for i := 0; i < len(names); i += size(3, 1) {
		events, failed := read(names[i])
		err = errors.Join(err, failed)
		t := transcript{strings.TrimSuffix(filepath.Base(names[i]), ".plain.gz"), nil, map[string]string{}}
		for _, e := range events {
			if !slices.Contains(strings.Fields(said), field(e, "Event-Name")) {
				continue
			}
			t.events = append(t.events, e)
			if id := field(e, "Unique-ID"); id != "" && t.legs[id] == "" {
				t.legs[id] = t.name + " " + string(rune('A'+len(t.legs)))
			}
		}
		all = append(all, t)
	}
	return all, err
})

// A show is a relay, what is played to it, and what arrives of it.
type show struct {
	t           *testing.T
	p           *player
	transcripts []transcript
	relay       *trial.Relay
	at          *trial.Receiver
	played      chan struct{} // closed when all is
}

func newShow(t *testing.T, o options, password string) *show {
	t.Helper()
	transcripts, err := recorded()
	if err != nil || len(transcripts) == 0 {
		t.Fatalf("%d transcripts: %v", len(transcripts), err)
	}
	s := &show{t: t, transcripts: transcripts, at: trial.NewReceiver(t), played: make(chan struct{})}
	o.listen, o.password, o.together = trial.FreeAddress(t), "ClueCon", max(o.together, 1)
	s.p = newPlayer(o)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(s.played)
		if err := s.play(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("play: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-s.played })
	s.relay = trial.Start(t, binary, s.settings(password))
	return s
}

func (s *show) settings(password string) string {
	return fmt.Sprintf(settings, s.p.listen, password, s.at.URL)
}

// play plays all, and one call that tells that all before it was heard.
func (s *show) play(ctx context.Context) error {
	err := s.p.perform(ctx, spoken(s.transcripts))
	if err == nil {
		s.p.options = options{listen: s.p.listen, password: s.p.password, together: 1}
		err = s.p.round(ctx, spoken(s.transcripts[:1]), last)
	}
	return err
}

func spoken(transcripts []transcript) (all [][][]byte) {
	for _, t := range transcripts {
		all = append(all, t.events)
	}
	return all
}

// told is an event as it arrived.
type told struct {
	Event, UII, Segment, Result string
	Gap                         map[string]any
}

// settle waits until all has arrived, and returns it. What was sent again is
// there once only: a relay that was killed may send what it had sent.
func (s *show) settle() (all []told) {
	s.t.Helper()
	<-s.played
	from := origins(s.transcripts[:1], last)
	s.relay.Until("the last call arrives", func() bool {
		all = nil
		known := map[string]bool{}
		for _, a := range s.at.Arrivals() {
			var e told
			if err := json.Unmarshal([]byte(a.Body), &e); err != nil {
				s.t.Fatalf("%v: %s", err, a.Body)
			}
			if id := a.Header.Get("Webhook-Id"); !known[id] {
				known[id] = true
				all = append(all, e)
			}
		}
		return slices.ContainsFunc(all, func(e told) bool { return e.Event == "post_call" && from[e.UII] != "" })
	})
	return all
}

// origins says of each uuid of a round which leg it stands for.
func origins(transcripts []transcript, round int) map[string]string {
	all := map[string]string{}
	for _, t := range transcripts {
		for id, leg := range t.legs {
			all[string(renewed([]byte(id), round, 0, time.Time{}))] = leg
		}
	}
	return all
}

// happening is an event of a leg, or of a call.
type happening struct{ event, call, segment string }

// leg is whose event it is.
func (h happening) leg() string { return cmp.Or(h.segment, h.call) }

// count returns how often each happening of a round arrived, but for those of
// calls that a restart of the server ended.
func (s *show) count(events []told, round int) (all map[happening]int, over map[string]bool) {
	from, over := origins(s.transcripts, round), map[string]bool{}
	for id, leg := range from {
		if s.p.gone[id] {
			scenario, _, _ := strings.Cut(leg, " ")
			over[scenario] = true
		}
	}
	all = map[happening]int{}
	for _, e := range events {
		if leg := from[e.UII]; leg != "" {
			segment := uuids.ReplaceAllStringFunc(e.Segment, func(id string) string { return from[id] })
			all[happening{e.Event, leg, segment}]++
		}
	}
	return all, over
}

// calm is what comes of one round without faults.
func calm(t *testing.T) map[happening]int {
	t.Helper()
	s := newShow(t, options{rounds: 1}, "ClueCon")
	events := s.settle()
	s.once()
	all, _ := s.count(events, 0)
	return all
}

// once holds that no event arrived again.
func (s *show) once() {
	s.t.Helper()
	for id, n := range s.at.Counts() {
		if n != 1 {
			s.t.Errorf("%s arrived %d times", id, n)
		}
	}
}

// mayBe are calls of which more may be said after a gap: nobody heard that
// an agent consults, or logs in.
var mayBe = map[string]bool{"caller_hangs_up_during_consult C": true, "q_standby A": true}

// judge holds what arrived of some rounds against what comes without faults:
// each once, or missing and its leg counted in a gap.
func (s *show) judge(want map[happening]int, rounds int) {
	s.t.Helper()
	events := s.settle()
	gaps, counted, segments := 0, 0, 0
	lost, missing := map[string]bool{}, map[string]int{}
	for _, e := range events {
		if n, ok := e.Gap["count"].(float64); ok && e.Event == "relay_gap" {
			s.t.Logf("gap %v", e.Gap)
			gaps++
			counted += int(n)
		}
	}
	for round := range rounds {
		got, over := s.count(events, round)
		for h, n := range got {
			if n > want[h] && !mayBe[h.call] {
				s.t.Errorf("round %d: %v %d times, want %d", round, h, n, want[h])
			}
			if h.event == "agent_termination" {
				segments += n
			}
		}
		for h, n := range want {
			scenario, _, _ := strings.Cut(h.call, " ")
			if got[h] < n && !over[scenario] {
				lost[fmt.Sprint(round, h.leg())] = true
				missing[fmt.Sprintf("%s %s", h.leg(), h.event)]++
			}
		}
	}
	s.t.Logf("sent %v; the relay held %s", s.p.sent, s.held())
	s.t.Logf("%d segments, %d gaps that count %d, of %d legs something is missing", segments, gaps, counted, len(lost))
	if len(lost) > counted {
		for _, m := range slices.Sorted(maps.Keys(missing)) {
			s.t.Errorf("missing %d times: %s", missing[m], m)
		}
	}
}

// held is the most memory that the relay had.
func (s *show) held() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.relay.Pid()))
	if err != nil {
		return "unknown memory"
	}
	_, most, _ := strings.Cut(string(status), "VmHWM:")
	most, _, _ = strings.Cut(most, "\n")
	if kb, err := strconv.Atoi(strings.Fields(most)[0]); err == nil && kb > maxHeld<<10 {
		s.t.Errorf("the relay held %d MiB, want at most %d", kb>>10, maxHeld)
	}
	return strings.TrimSpace(most)
}

// A source that is cut off in the middle of events, stalled, refused and killed
// says each thing once, or counts it.
func TestFaults(t *testing.T) {
	want := calm(t)
	if len(want) < 40 {
		t.Fatalf("%d events without faults, want more", len(want))
	}
	for _, test := range []struct {
		name string
		options
		kills int // of the relay
	}{
		{"cuts in the middle of an event", options{rounds: size(1, 6), cut: size(130, 111)}, 0},
		{"cuts of six copies at once", options{rounds: size(0, 6), together: 6, cut: 97, pause: 3 * time.Millisecond}, 0},
		{"stalls and large events", options{rounds: size(0, 3), stall: time.Second, large: 1 << 20}, 0},
		{"things happen after a cut", options{rounds: size(0, 6), cut: 150, unheard: 40}, 0},
		{"restarts of the server", options{rounds: size(0, 6), cut: 170, restart: 2}, 0},
		{"kills of the relay", options{rounds: size(0, 6), pause: 2 * time.Millisecond}, 3},
	} {
		if test.rounds == 0 {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			test.away = 20 * time.Millisecond
			s := newShow(t, test.options, "ClueCon")
			for n := range test.kills {
				s.relay.Until("some events arrived", func() bool { _, distinct := s.at.Total(); return distinct > len(want)*(n+1)/2 })
				s.relay.Kill()
				s.relay.Start()
			}
			s.judge(want, test.rounds)
			if test.kills == 0 {
				s.once()
			}
		})
	}
}

// A wrong password is said, and nothing is told until it is right.
func TestWrongPassword(t *testing.T) {
	if size(0, 1) == 0 {
		t.Skip("EVENTSOCKET is not long: no wrong password was tried")
	}
	s := newShow(t, options{rounds: 1}, "wrong")
	s.relay.Until("the refusal is shown", func() bool {
		out, _ := s.relay.Run("status")
		return strings.Contains(out, "-ERR invalid")
	})
	if log := s.relay.Log(); strings.Contains(log, `"wrong"`) || len(s.at.Arrivals()) > 0 {
		t.Errorf("%d events arrived, log %s", len(s.at.Arrivals()), log)
	}
	s.relay.Stop()
	s.relay.Configure(s.settings("ClueCon"))
	s.relay.Start()
	if got := s.settle(); len(got) == 0 {
		t.Error("nothing arrived with the right password")
	}
}
