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
	v := survey{listed: true, core: core, status: s.last + " session(s) since startup\n", agents: "name|type|calls_answered\n", heard: maps.Clone(m.heard)}
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

// odd are scenarios of which some gaps are not told right while FreeSWITCH is
// asked: a first stay in a queue is in no count, or a consultation is a call.
var odd = map[string]bool{"q_att_xfer_app": true, "q_attended_refer": true, "q_standby": true, "q_timeout_overflow": true}

// Of a call in which nothing is heard for a while, nothing is said that was
// not, or twice, and what is missing is counted: no more legs have a part of
// theirs unsaid than the gap says.
func TestGaps(t *testing.T) {
	step := 11 // each beginning takes a minute
	if os.Getenv("EVENTSOCKET") == "long" {
		step = 1
	}
	for scenario := range wanted(t) {
		if scenario == "made_member_is_b_leg" || scenario == "made_old_callflow" || scenario == "uuid_transfer_as_readme" {
			continue // documents only
		}
		texts := slices.DeleteFunc(unwrapped(t, wire(t, scenario)), func(text string) bool {
			return len(channelsOnly([]esl.Event{esl.Parse(text)})) == 0
		})
		var events []esl.Event
		for _, text := range texts {
			events = append(events, esl.Parse(text))
		}
		core, number := events[0].Get("Core-UUID"), before(texts)
		stamp := events[len(events)-1].Stamp().Add(time.Minute).UnixMicro()
		late := esl.Parse(fmt.Sprintf("Event-Name: HEARTBEAT\nEvent-Date-Timestamp: %d\n\n", stamp))
		want := tallied(play(t, testMachine(), events))
		for from := 0; from < len(events); from += step {
			for _, long := range []int{1, 4, 15, 60} {
				to := from + long
				if to > len(events) {
					break
				}
				m, s := testMachine(), newServer(events)
				s.last = number
				v := s.asked(t, m, core)
				v.settle(m, source.GapStart, m.Last, events[0].Stamp())
				for _, text := range texts[:from] {
					s.happens(text)
				}
				got := play(t, m, events[:from])
				for _, text := range texts[from:to] {
					s.happens(text)
				}
				v = s.asked(t, m, core)
				asking := to
				if !odd[scenario] {
					asking = min(to+from%5, len(events)) // what is heard meanwhile
				}
				for _, ev := range events[to:asking] {
					v.begin(m, ev.Stamp())
					v.hear(m, ev)
					got = append(got, play(t, m, []esl.Event{ev})...)
				}
				counted := 0
				for _, o := range v.settle(m, source.GapDisconnect, m.Last, events[to-1].Stamp()) {
					e := members(t, o.Body)
					got = append(got, e)
					if n, ok := e["count"].(float64); ok {
						counted = int(n)
					}
				}
				got = append(got, play(t, m, append(slices.Clone(events[asking:]), late))...)
				lost, wrong := differing(tallied(got), want)
				if len(wrong) > 0 || len(lost) > counted {
					t.Errorf("%s without %d to %d (%s of %.4s to %s of %.4s), counted %d:\nwrong %q\nlost %q", scenario, from, to,
						name(events[from]), events[from].Get("Unique-ID"), name(events[to-1]), events[to-1].Get("Unique-ID"), counted, wrong, lost)
				}
			}
		}
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

func name(ev esl.Event) string { return ev.Name() + " " + ev.Get("CC-Action") }

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
