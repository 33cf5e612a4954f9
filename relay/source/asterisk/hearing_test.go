package asterisk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"callrelay/relay/source/asterisk/ami"
)

// TestLimits holds back what a manager user may not read or a filter does not
// let through, from a real call: the line that mends it is named, and nothing is
// said of a user who sees all.
func TestLimits(t *testing.T) {
	calls := []string{"Newchannel", "NewCallerid", "BridgeEnter", "BridgeLeave", "Hangup", "HangupRequest", "DialBegin", "DialEnd", "BlindTransfer"}
	agents := []string{"QueueCallerJoin", "QueueCallerLeave", "AgentCalled", "AgentConnect", "AgentComplete"}
	for _, test := range []struct {
		name    string
		without []string
		want    string
	}{
		{"all", nil, ""},
		{"no right to read calls", calls, "read = system,call,agent,user,dialplan"},
		{"no right to read agents", agents, "read = system,call,agent,user,dialplan"},
		{"no bridges", []string{"BridgeEnter"}, "eventfilter(name(BridgeEnter)) ="},
		{"no hangups", []string{"Hangup"}, "eventfilter(name(Hangup)) ="},
		{"no dials", []string{"DialBegin"}, "eventfilter(name(DialBegin)) ="},
		{"no ends of dials", []string{"DialEnd"}, "eventfilter(name(DialEnd)) ="},
		{"no names of recordings", []string{"VarSet"}, "MIXMONITOR_FILENAME"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := testMachine()
			for _, file := range slices.Repeat([]string{"blind-505-to-202", "two-queues", "blind-501-to-510"}, 6) {
				for _, ev := range messages(t, "testdata/calls/"+file+".ami.gz") {
					if !slices.Contains(test.without, ev.Event()) {
						m.apply(ev, ev.Stamp())
					}
				}
			}
			got := strings.Join(m.hearing.limits(), "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("limits %q, want %q", got, test.want)
			}
		})
	}
}

// Many calls that ring and talk before the first one ends show nothing.
func TestABurstIsNoLimit(t *testing.T) {
	m := testMachine()
	for _, ev := range messages(t, "testdata/calls/plain.ami.gz") {
		for copy := range 9 {
			e := slices.Clone(ev)
			for i, h := range e {
				if strings.HasSuffix(h.Name, "id") {
					e[i].Value = strings.Replace(h.Value, ".", fmt.Sprintf(".%d", copy+1), 1)
				}
			}
			m.apply(e, ev.Stamp())
			if got := m.hearing.limits(); len(got) > 0 {
				t.Fatalf("limits %q at %s", got, ev.Event())
			}
		}
	}
}

func TestLimitsOfASession(t *testing.T) {
	h := hearing{denied: true}
	h.hear(ami.Message{{Name: "Event", Value: "BridgeEnter"}})
	if got := strings.Join(h.limits(), "\n"); !strings.Contains(got, "write = reporting") || !strings.Contains(got, "timestampevents = yes") {
		t.Errorf("limits %q", got)
	}
}
