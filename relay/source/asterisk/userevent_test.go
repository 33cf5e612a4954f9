package asterisk

import (
	"testing"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// user makes a UserEvent as Asterisk sends it: first the channel, then what
// the dialplan gave.
func user(name string, own ...ami.Header) ami.Message {
	m := ami.Message{
		{Name: "Event", Value: "UserEvent"},
		{Name: "Channel", Value: "PJSIP/a1-1"},
		{Name: "Uniqueid", Value: "7.2"},
		{Name: "Linkedid", Value: "7.1"},
		{Name: "UserEvent", Value: name},
	}
	return append(m, own...)
}

func TestUserEvent(t *testing.T) {
	at := time.Date(2026, 11, 23, 14, 0, 0, 123456000, time.UTC)
	header := func(name, value string) ami.Header { return ami.Header{Name: name, Value: value} }
	for _, test := range []struct {
		name string
		ev   ami.Message
		want string // empty: it gives no event
	}{
		{
			"a name and members of the dialplan's own", user("Sale!", header("Order No", "4711"), header("Note", `O"Neil & <Sons>`)),
			`{"event":"sale_","id":"pbx1/7.1/7.2/sale_/1795442400123456","note":"O\"Neil \u0026 \u003cSons\u003e","order_no":"4711","source":"pbx1","uii":"7.1"}`,
		},
		{
			"headers that Asterisk has too", user("vip", header("Channel", "mine"), header("Linkedid", "mine")),
			`{"channel":"mine","event":"vip","id":"pbx1/7.1/7.2/vip/1795442400123456","linkedid":"mine","source":"pbx1","uii":"7.1"}`,
		},
		{
			"members that are the relay's", user("vip", header("ID", "x"), header("UII", "x"), header("Segments", "x"), header("Relay_x", "x"), header("Recording_State", "x")),
			`{"event":"vip","id":"pbx1/7.1/7.2/vip/1795442400123456","source":"pbx1","uii":"7.1"}`,
		},
		{
			"one scope", user("vip", header("Queue", "sales"), header("Campaign", "spring"), header("Route", "r1")),
			`{"campaign":"spring","event":"vip","id":"pbx1/7.1/7.2/vip/1795442400123456","source":"pbx1","uii":"7.1"}`,
		},
		{
			"a recording as Asterisk names it", user("voicemail", header("Recording", "/cs/rec/vm/1.wav"), header("Recording", "twice")),
			`{"event":"voicemail","id":"pbx1/7.1/7.2/voicemail/1795442400123456","recording":"vm/1.wav","source":"pbx1","uii":"7.1"}`,
		},
		{
			"an event without a channel",
			ami.Message{{Name: "Event", Value: "UserEvent"}, {Name: "UserEvent", Value: "Shift"}, {Name: "Team", Value: "A"}},
			`{"event":"shift","id":"pbx1///shift/1795442400123456","source":"pbx1","team":"A"}`,
		},
		{"a name that is the relay's", user("relay_gap"), ""},
		{"no name", user("!"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := testMachine()
			got := m.apply(test.ev, at)
			checkAccepted(t, got)
			if test.want == "" {
				if len(got) != 0 || missed(m) != 1 {
					t.Errorf("%d events, %d missed, want 0 and 1", len(got), missed(m))
				}
				return
			}
			if len(got) != 1 || string(got[0].Body) != test.want {
				t.Errorf("events %s\nwant   %s", got[0].Body, test.want)
			}
		})
	}
}

func FuzzUserEvent(f *testing.F) {
	f.Add("Sale", "Order No", "4711", "queue", "a")
	f.Add("\xff\x00", "id", "\xfe", "recording", "/cs/rec/../../etc/passwd")
	f.Fuzz(func(t *testing.T, name, key1, value1, key2, value2 string) {
		ev := user(name, ami.Header{Name: key1, Value: value1}, ami.Header{Name: key2, Value: value2})
		checkAccepted(t, testMachine().apply(ev, time.Unix(1, 0)))
	})
}

// Who listens to a conversation, or speaks into it, makes no call: neither an
// end nor a missed one is reported, and no segment.
func TestSupervisor(t *testing.T) {
	m := newMachine("pbx1", nil, nil, "")
	at := time.Unix(1795000001, 0)
	channel := func(event, prefix string, own ...ami.Header) ami.Message {
		return append(ami.Message{
			{Name: "Event", Value: event},
			{Name: prefix + "Uniqueid", Value: "1795000001.5"},
			{Name: prefix + "Linkedid", Value: "1795000001.5"},
			{Name: prefix + "Channel", Value: "PJSIP/203-00000001"},
			{Name: prefix + "CallerIDNum", Value: "203"},
			{Name: prefix + "Exten", Value: "47201"},
		}, own...)
	}
	for _, ev := range []ami.Message{
		channel("Newchannel", ""), channel("ChanSpyStart", "Spyer", ami.Header{Name: "SpyeeUniqueid", Value: "1795000000.1"}), channel("ChanSpyStop", "Spyer"), channel("Hangup", ""),
	} {
		for _, o := range m.apply(ev, at) {
			t.Errorf("%s: %s", ev.Event(), o.Body)
		}
	}
	if m.Calls() != 0 {
		t.Errorf("%d calls left", m.Calls())
	}
}
