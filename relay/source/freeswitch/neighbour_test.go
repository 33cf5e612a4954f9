package freeswitch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"callrelay/relay/source/freeswitch/esl"
)

// said makes events of short words, a second apart: name, leg and further
// values.
func said(t *testing.T, m *machine, events ...[]string) []map[string]any {
	t.Helper()
	var all []esl.Event
	for i, e := range events {
		text := fmt.Sprintf("Event-Name: %s\nUnique-ID: %s\nEvent-Date-Timestamp: %d\n", e[0], e[1], 1795800000000000+int64(i)*1000000)
		for _, more := range e[2:] {
			text += more + "\n"
		}
		all = append(all, esl.Parse(text+"\n"))
	}
	return play(t, m, all)
}

var (
	trunk = []string{"Call-Direction: inbound", "Channel-Name: sofia/external/2125550100", "Caller-Caller-ID-Number: 2125550100", "Caller-Destination-Number: 600"}
	phone = []string{"Call-Direction: inbound", "Channel-Name: sofia/internal/1002", "variable_user_name: 1002", "Caller-Caller-ID-Number: 1002", "Caller-Destination-Number: 6001"}
)

// Who takes a parked call, or picks one up, is its agent; his own leg is no
// call, neither live nor by its document.
func TestTakenFromParking(t *testing.T) {
	got := said(t, testMachine(),
		append([]string{"CHANNEL_CREATE", "a"}, trunk...),
		append([]string{"CHANNEL_CREATE", "c"}, phone...),
		[]string{"CHANNEL_BRIDGE", "a", "Bridge-A-Unique-ID: a", "Bridge-B-Unique-ID: c"},
		[]string{"CHANNEL_HANGUP", "a", "Hangup-Cause: NORMAL_CLEARING"},
		[]string{"CHANNEL_HANGUP", "c", "Hangup-Cause: NORMAL_CLEARING"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "c", "variable_last_bridge_hangup_cause: NORMAL_CLEARING"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "a", "variable_hangup_cause: NORMAL_CLEARING"})
	var names []string
	for _, e := range got {
		names = append(names, fmt.Sprint(e["event"], " ", e["uii"], " ", e["agent_device"], " ", e["call_result"]))
	}
	want := []string{
		"call_start a <nil> <nil>", "agent_connect a 1002 <nil>", "agent_termination a 1002 <nil>",
		"call_end a <nil> Connected", "post_call a <nil> Connected",
	}
	if !slices.Equal(names, want) {
		t.Errorf("events\n%q, want\n%q", names, want)
	}
	body := edited(t, documents(t, "agent_calls_out")[1], map[string]any{"originate_disposition": nil, "last_bridge_to": "a", "dialed_user": nil})
	events := convert(t, bytes.ReplaceAll(body, []byte(`"app_name":"bridge"`), []byte(`"app_name":"valet_park"`)))
	if len(events) != 1 || events[0]["event"] != "agent_termination" || events[0]["uii"] != "a" {
		t.Errorf("document: %v, want a segment of the parked call", events)
	}
}

// Whether somebody else was in a conference is not known: the call is neither
// connected nor missed.
func TestConference(t *testing.T) {
	got := said(t, testMachine(),
		append([]string{"CHANNEL_CREATE", "a"}, trunk...),
		[]string{"CHANNEL_ANSWER", "a"},
		[]string{"CHANNEL_HANGUP", "a", "Hangup-Cause: NORMAL_CLEARING"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "a", "variable_conference_name: 3000"})
	document := convert(t, edited(t, documents(t, "q_abandon")[0], map[string]any{
		"conference_name": "3000", "cc_side": nil, "cc_queue_joined_epoch": nil,
	}))
	for _, events := range [][]map[string]any{got, document} {
		if last := events[len(events)-1]; count(events, "call_missed") > 0 || last["call_result"] != "Unknown" {
			t.Errorf("%v, want an unknown result and nothing missed", events)
		}
	}
}

// An agent asks in another queue and passes the caller on to who answers there:
// that queue gave the call, and the consultation is no segment. The document
// of who answered says the same, and nothing again.
func TestPassedOnToAQueue(t *testing.T) {
	agent := func(user, queue, member string) []string {
		return []string{
			"Call-Direction: outbound", "Channel-Name: sofia/internal/" + user, "variable_cc_side: agent", "variable_presence_id: " + user + "@x",
			"variable_cc_queue: " + queue + "@default", "variable_cc_agent: " + user + "@default", "variable_cc_member_session_uuid: " + member,
		}
	}
	line := []string{"Call-Direction: inbound", "Channel-Name: sofia/internal/1001", "variable_user_name: 1001", "Caller-Destination-Number: 601"}
	got := said(t, testMachine(),
		append([]string{"CHANNEL_CREATE", "a"}, trunk...),
		append([]string{"CHANNEL_CREATE", "b"}, agent("1001", "support", "a")...),
		[]string{"CHANNEL_BRIDGE", "a", "Bridge-A-Unique-ID: a", "Bridge-B-Unique-ID: b"},
		[]string{"CHANNEL_HOLD", "b"},
		append([]string{"CHANNEL_CREATE", "c"}, line...),
		append([]string{"CHANNEL_CREATE", "d"}, agent("1003", "sales", "c")...),
		[]string{"CHANNEL_BRIDGE", "c", "Bridge-A-Unique-ID: c", "Bridge-B-Unique-ID: d"},
		[]string{"CHANNEL_UNHOLD", "b"},
		[]string{"CHANNEL_HANGUP", "b", "variable_transfer_disposition: recv_replace"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "b", "variable_transfer_disposition: recv_replace"},
		[]string{"CHANNEL_BRIDGE", "a", "Bridge-A-Unique-ID: a", "Bridge-B-Unique-ID: d"},
		[]string{"CHANNEL_HANGUP", "c"}, []string{"CHANNEL_HANGUP_COMPLETE", "c"},
		[]string{"CHANNEL_HANGUP", "a"}, []string{"CHANNEL_HANGUP", "d"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "d", "variable_last_bridge_hangup_cause: NORMAL_CLEARING"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "a"})
	var segments []string
	for _, e := range got {
		if e["event"] == "agent_termination" {
			segments = append(segments, fmt.Sprint(e["uii"], e["queue"], e["agent_id"], e["agent_duration"], e["hold_duration"], e["term_reason"]))
		}
	}
	r, ledger := newTaker(), openLedger(t, &memory{})
	for _, e := range got {
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		ledger.emit(singly(r.emit), nil)(t.Context(), [][]byte{body})
	}
	told := len(r.events())
	n := &Intake{Converter: converter, Emit: singly(r.emit), Ledger: ledger}
	last := edited(t, agentDocument(t), map[string]any{"uuid": "d", "cc_member_session_uuid": "c", "last_bridge_to": "a"})
	if e := convert(t, last)[0]; e["uii"] != "a" {
		t.Errorf("document: %v, want it to be of the caller's call", e)
	}
	if w := post(n, last); w.Code != http.StatusAccepted {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	if events := r.events(); len(events) != told {
		t.Errorf("the document says again: %v", events[told:])
	}
	want := []string{"asupport1001@default6 4transfer", "asales1003@default4 <nil>caller"}
	if !slices.Equal(segments, want) {
		t.Errorf("segments %q, want %q", segments, want)
		for _, e := range got {
			t.Log(shown(e))
		}
	}
}

// Phones that are no SIP ones do not say who hung up: the order shows it, and
// their records leave it open, but never make a transfer of it.
func TestWhoHungUpFirst(t *testing.T) {
	phone := []string{"CHANNEL_CREATE", "b", "Call-Direction: outbound", "Channel-Name: verto.rtc/1001", "variable_dialed_user: 1001", "variable_originating_leg_uuid: a"}
	for first, reason := range map[string]string{"b": "agent", "a": "caller"} {
		second := map[string]string{"a": "b", "b": "a"}[first]
		got := said(t, testMachine(),
			append([]string{"CHANNEL_CREATE", "a"}, trunk...), phone,
			[]string{"CHANNEL_BRIDGE", "a", "Bridge-A-Unique-ID: a", "Bridge-B-Unique-ID: b"},
			[]string{"CHANNEL_HANGUP", first, "Hangup-Cause: NORMAL_CLEARING"}, []string{"CHANNEL_HANGUP", second, "Hangup-Cause: NORMAL_CLEARING"},
			[]string{"CHANNEL_HANGUP_COMPLETE", "b", "variable_hangup_cause: NORMAL_CLEARING"},
			[]string{"CHANNEL_HANGUP_COMPLETE", "a", "variable_hangup_cause: NORMAL_CLEARING"})
		for _, e := range got {
			if e["event"] == "agent_termination" && e["term_reason"] != reason || e["event"] == "transfer_termination" {
				t.Errorf("%s hung up first: %s", first, shown(e))
			}
		}
		if count(got, "agent_termination") != 1 {
			t.Errorf("events %v, want one segment", got)
		}
	}
	for channel, want := range map[string]string{"verto.rtc/1001": "", "sofia/internal/1001@127.0.0.1:25101": "transfer"} {
		document := convert(t, edited(t, agentDocument(t), map[string]any{"sip_hangup_disposition": nil, "last_bridge_hangup_cause": nil, "channel_name": channel}))
		if document[0]["term_reason"] != want || count(document, "transfer_termination") > 0 != (want != "") {
			t.Errorf("document of %s: %v, want reason %q", channel, document, want)
		}
	}
}

// Who called a colleague passes him on to another one and is gone: the two who
// talk then have a segment each, in a call that begins with them.
func TestTheCallerPassesOn(t *testing.T) {
	called := func(id, user, by string) []string {
		return []string{"CHANNEL_CREATE", id, "Call-Direction: outbound", "Channel-Name: sofia/internal/" + user, "variable_dialed_user: " + user, "variable_originating_leg_uuid: " + by}
	}
	got := said(t, testMachine(),
		append([]string{"CHANNEL_CREATE", "a"}, phone...), called("b", "1001", "a"),
		[]string{"CHANNEL_BRIDGE", "a", "Bridge-A-Unique-ID: a", "Bridge-B-Unique-ID: b"},
		[]string{"CHANNEL_HANGUP", "a", "variable_transfer_disposition: recv_replace"},
		[]string{"CHANNEL_UNBRIDGE", "b", "Bridge-A-Unique-ID: a", "Bridge-B-Unique-ID: b"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "a", "variable_transfer_disposition: recv_replace"},
		called("d", "1003", "b"),
		[]string{"CHANNEL_BRIDGE", "b", "Bridge-A-Unique-ID: b", "Bridge-B-Unique-ID: d"},
		[]string{"CHANNEL_HANGUP", "d"}, []string{"CHANNEL_HANGUP", "b"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "d", "variable_sip_hangup_disposition: recv_bye"},
		[]string{"CHANNEL_HANGUP_COMPLETE", "b", "variable_last_bridge_hangup_cause: NORMAL_CLEARING"})
	var segments []string
	for _, e := range got {
		if e["event"] == "agent_termination" {
			segments = append(segments, fmt.Sprint(e["uii"], " ", e["segment_id"], " ", e["agent_id"], " ", e["direction"], " ", e["term_reason"]))
		}
	}
	slices.Sort(segments)
	want := []string{"a a 1002 internal transfer", "a b 1001 internal caller", "b b-2 1001 internal caller", "b d 1003 internal agent"}
	if !slices.Equal(segments, want) {
		t.Errorf("segments %q, want %q", segments, want)
		for _, e := range got {
			t.Log(shown(e))
		}
	}
}
