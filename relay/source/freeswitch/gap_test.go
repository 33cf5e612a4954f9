package freeswitch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/freeswitch/esl"
)

// server is what a FreeSWITCH can tell of its channels, by what it said of them.
type server struct {
	alive    map[string]map[string]string // by uuid: what is known
	answered map[string]int
	types    map[string]string // of agents
	last     string            // the newest channel's number
}

// newServer has the agents of a transcript.
func newServer(events []esl.Event) *server {
	s := &server{alive: map[string]map[string]string{}, answered: map[string]int{}, types: map[string]string{}}
	for _, ev := range events {
		if agent := ev.Get("CC-Agent"); agent != "" {
			s.answered[agent], s.types[agent] = 0, cmp.Or(ev.Get("CC-Agent-Type"), s.types[agent])
		}
	}
	return s
}

// happens takes an event, whether anybody hears it or not.
func (s *server) happens(text string) {
	values := map[string]string{}
	ev := esl.Parse(text)
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			values[name] = ev.Get(name)
		}
	}
	id, name := values["Unique-ID"], values["Event-Name"]
	if values["CC-Action"] == "bridge-agent-start" {
		s.answered[values["CC-Agent"]]++
	}
	switch {
	case name == "CHANNEL_CREATE":
		s.last = values["variable_session_id"]
	case s.alive[id] == nil:
		return
	case name == "CHANNEL_HANGUP_COMPLETE":
		delete(s.alive, id)
		return
	}
	const bridge, since = "variable_bridge_uuid", "Caller-Channel-Bridged-Time"
	values[bridge], values[since] = s.alive[id][bridge], s.alive[id][since]
	if s.alive[id] = values; name == "CHANNEL_UNBRIDGE" || name == "CHANNEL_PARK" || name == "CHANNEL_HANGUP" {
		values[bridge] = ""
	}
	a, b := values["Bridge-A-Unique-ID"], values["Bridge-B-Unique-ID"]
	if name == "CHANNEL_BRIDGE" && s.alive[a] != nil && s.alive[b] != nil {
		s.alive[a][bridge], s.alive[b][bridge] = b, a
		s.alive[a][since], s.alive[b][since] = values["Event-Date-Timestamp"], values["Event-Date-Timestamp"]
	}
}

// asked returns what it answers to who connects.
func (s *server) asked(t *testing.T, m *machine, core string) survey {
	t.Helper()
	v := survey{machine: m, listed: true, core: core, status: s.last + " session(s) since startup\n", agents: "name|type|calls_answered\n"}
	for _, agent := range slices.Sorted(maps.Keys(s.answered)) {
		v.agents += fmt.Sprintf("%s|%s|%d\n", agent, s.types[agent], s.answered[agent])
	}
	for _, id := range slices.Sorted(maps.Keys(s.alive)) {
		text, err := json.Marshal(s.alive[id])
		if err != nil {
			t.Fatal(err)
		}
		ev, err := esl.Dump(string(text))
		if err != nil {
			t.Fatal(err)
		}
		v.dumps = append(v.dumps, ev.Keep(dumped...))
	}
	return v
}

// leg is who an event is of, and what it says.
func legOf(e map[string]any) string {
	who, _ := e["segment_id"].(string)
	call, _ := e["uii"].(string)
	return cmp.Or(regexp.MustCompile(`-[23]$`).ReplaceAllString(who, ""), call)
}

// tally counts the events that are told of each leg.
func tallied(events []map[string]any) map[string]int {
	all := map[string]int{}
	for _, e := range events {
		if e["event"] != "relay_gap" {
			all[fmt.Sprint(e["event"], " ", legOf(e))]++
		}
	}
	return all
}

// recorded is a transcript of which a part is not heard.
type recorded struct {
	scenario, core, number string
	texts                  []string
	events                 []esl.Event
	late                   esl.Event      // after all
	want                   map[string]int // what it gives when all is heard
}

func recording(t *testing.T, scenario string) *recorded {
	t.Helper()
	r := &recorded{scenario: scenario}
	for _, text := range unwrapped(t, wire(t, scenario)) {
		if ev := esl.Parse(text); len(channelsOnly([]esl.Event{ev})) > 0 {
			r.texts, r.events = append(r.texts, text), append(r.events, ev)
		}
	}
	r.core, r.number = r.events[0].Get("Core-UUID"), before(r.texts)
	stamp := r.events[len(r.events)-1].Stamp().Add(time.Minute).UnixMicro()
	r.late = esl.Parse(fmt.Sprintf("Event-Name: HEARTBEAT\nEvent-Date-Timestamp: %d\n\n", stamp))
	r.want = tallied(play(t, testMachine(), r.events))
	return r
}

// without plays all but the events from one to another one. Then FreeSWITCH is
// asked, answers as it is when another one happens, and until a last one what
// is heard waits. A negative answer: it was restarted, and nothing goes on.
func (r *recorded) without(t *testing.T, from, to, answer, asked int) (got []map[string]any, gap map[string]any) {
	t.Helper()
	m, s := testMachine(), newServer(r.events)
	s.last = r.number
	v := s.asked(t, m, r.core)
	v.reconcile(source.GapStart, m.Last, r.events[0].Stamp(), true)
	got = play(t, m, r.events[:from])
	if answer < 0 {
		s.last = "0"
		v = s.asked(t, m, "another")
	} else {
		for _, text := range r.texts[:answer] {
			s.happens(text)
		}
		v = s.asked(t, m, r.core)
		v.events, v.before = r.events[to:asked], answer-to
	}
	for _, o := range v.reconcile(source.GapDisconnect, m.Last, r.events[to-1].Stamp(), true) {
		got = append(got, members(t, o.Body))
	}
	gap = got[slices.IndexFunc(got, func(e map[string]any) bool { return e["event"] == "relay_gap" })]
	return append(got, play(t, m, append(slices.Clone(r.events[asked:]), r.late))...), gap
}

// thoroughly is how many of all ways are tried.
func thoroughly(few, all int) int {
	if os.Getenv("EVENTSOCKET") == "long" {
		return all
	}
	return few
}

// Of a call in which nothing is heard for a while, nothing is said that was
// not, or twice, and what is missing is counted: no more legs have a part of
// theirs unsaid than the gap says. So it is whenever FreeSWITCH answers, and
// whatever is heard meanwhile.
func TestGaps(t *testing.T) {
	for scenario := range wanted(t) {
		if scenario == "made_member_is_b_leg" || scenario == "made_old_callflow" || scenario == "uuid_transfer_as_readme" {
			continue // documents only
		}
		r := recording(t, scenario)
		for from := 0; from < len(r.events); from += thoroughly(11, 1) {
			for _, long := range []int{1, 4, 15, 60} {
				to := from + long
				for way := from; to <= len(r.events) && way < from+thoroughly(1, 7); way++ {
					asked := min(to+way%5, len(r.events))
					answer := to + (way/5)%(asked-to+1)
					got, gap := r.without(t, from, to, answer, asked)
					lost, wrong := differing(tallied(got), r.want)
					if len(wrong) > 0 || float64(len(lost)) > gap["count"].(float64) {
						t.Errorf("%s without %d to %d, answered at %d, asked until %d, %v:\nwrong %q\nlost %q", scenario, from, to, answer, asked, gap, wrong, lost)
					}
				}
			}
		}
	}
}

// FreeSWITCH is restarted in a gap: nothing is said that was not, each leg that
// was heard of and of which something is missing is counted, and the gap says
// that there may have been others.
func TestRestartInAGap(t *testing.T) {
	for scenario := range wanted(t) {
		if scenario == "made_member_is_b_leg" || scenario == "made_old_callflow" || scenario == "uuid_transfer_as_readme" {
			continue // documents only
		}
		r := recording(t, scenario)
		for from := 1; from < len(r.events); from += thoroughly(5, 1) {
			got, gap := r.without(t, from, len(r.events), -1, len(r.events))
			lost, wrong := differing(tallied(got), r.want)
			maps.DeleteFunc(lost, func(leg string, _ []string) bool {
				return !slices.ContainsFunc(r.events[:from], func(ev esl.Event) bool { return ev.Get("Unique-ID") == leg })
			})
			if len(wrong) > 0 || float64(len(lost)) > gap["count"].(float64) || gap["server_restarted"] != true {
				t.Errorf("%s until %d, %v:\nwrong %q\nlost %q", scenario, from, gap, wrong, lost)
			}
		}
	}
}

// What is found missing after a gap was told is told with the next heartbeat,
// once.
func TestFoundLater(t *testing.T) {
	m := testMachine()
	for at, want := range []int{0, 1, 0} {
		if at == 1 {
			m.gap.Abandon++
		}
		got := m.unsaid(time.Unix(int64(100+at), 0))
		if len(got) != want {
			t.Fatalf("heartbeat %d: %d gaps, want %d", at, len(got), want)
		}
		for _, o := range got {
			if e := members(t, o.Body); e["abandons_missing"] != 1.0 || e["count"] != 1.0 || e["from"] != nil {
				t.Errorf("gap %v, want one that counts a stay", e)
			}
		}
	}
}

// A recording that FreeSWITCH said it will make, and makes, is one.
func TestAnnouncedRecording(t *testing.T) {
	l, at := &leg{}, time.Unix(100, 0)
	l.record("a.wav", at)
	l.record("a.wav", at.Add(time.Second))
	if len(l.Files) != 1 || !l.Files[0].Start.Equal(at.Add(time.Second)) {
		t.Errorf("files %v, want one since it began", l.Files)
	}
}

// before is the number of channels that were made before the first one.
func before(texts []string) string {
	for _, text := range texts {
		if ev := esl.Parse(text); ev.Name() == "CHANNEL_CREATE" {
			n, _ := strconv.Atoi(ev.Get("variable_session_id"))
			return strconv.Itoa(n - 1)
		}
	}
	return ""
}

// differing returns the legs of which something is missing, and what is told
// but was not.
func differing(got, want map[string]int) (lost map[string][]string, wrong []string) {
	lost = map[string][]string{}
	for _, leg := range []string{"8ec191d0-8ca1-4e7d-9eae-80f150e6a6f6", "83f9bd66-00d4-4e29-871e-6ff8f4a3ab07"} {
		for _, name := range []string{"agent_connect ", "agent_termination "} { // of who nobody heard consult
			delete(got, name+leg)
		}
	}
	for _, name := range []string{"call_start ", "call_end ", "post_call "} { // of an agent who logs in, if nobody heard what it is for
		delete(got, name+"af153334-5496-4429-8cac-eb8b96316fa8")
	}
	delete(got, "transfer_termination bf9c69db-6326-4506-8d9f-25b4da784460") // it hung up, and the call went on
	for what, n := range want {
		if name, leg, _ := strings.Cut(what, " "); got[what] < n {
			lost[leg] = append(lost[leg], name)
		}
	}
	for what, n := range got {
		if n > want[what] {
			wrong = append(wrong, what)
		}
	}
	return lost, wrong
}
