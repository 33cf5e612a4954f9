package asterisk

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// dialect is how another call server would have said the same.
type dialect struct {
	name   string
	phones []string
	say    func(value string) string
}

func replacing(pattern, with string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(value string) string { return re.ReplaceAllString(value, with) }
}

func inTurn(all ...func(string) string) func(string) string {
	return func(value string) string {
		for _, say := range all {
			value = say(value)
		}
		return value
	}
}

// TestDialects plays every transcript again with other names of channels,
// contexts, people and queues, as other call servers and people give them: what
// follows differs in nothing else.
func TestDialects(t *testing.T) {
	names := strings.NewReplacer("Ann Lee", `Änn, "100%s" Lee/李;1`, "Bob Ray", `Боб \n; -1@x`, "Cleo Moss", "%2C%", "15550100", "+49 (30) 1,5%20", "15559870002", "anonymous@x-1;2")
	for _, d := range []dialect{
		{"chan_sip, MikoPBX's contexts, long names of queues", nil, inTurn(
			replacing("PJSIP/", "SIP/"),
			replacing(`@(from-queue\w*|followme|ext-local)`, "@internal-$1-users"),
			replacing(`\b(plain|locn2?|fpbx\w*|support2?)\b`, "$1 Süd-1.2"))},
		{"IAX2, Wazo's contexts, trunks with dashes, names and numbers", nil, inTurn(
			replacing("PJSIP/trunk1", "PJSIP/sip-provider.example.com-1"),
			replacing("PJSIP/", "IAX2/"),
			replacing("@from-queue", "@ctx-7d-internal.b_1-agentcallback"),
			names.Replace)},
		{"phones with dots and dashes, a system with a name", []string{"PJSIP/ann.lee-*"}, inTurn(
			replacing(`PJSIP/(20\d)`, "PJSIP/ann.lee-$1-b.1"),
			replacing(`(1\d{9}\.\d+)`, "pbx-1.a-$1"))},
		{"phones without a technology", []string{"wss-2*"}, replacing(`PJSIP/(20\d)`, "PJSIP/wss-$1")},
	} {
		for _, folder := range []string{"testdata/shapes", "testdata/calls"} {
			for name, want := range wanted(t, folder) {
				t.Run(d.name+"/"+name, func(t *testing.T) {
					t.Parallel()
					m := newMachine("pbx1", nil, d.phones, "/cs/rec")
					want.said(d.say).hold(t, playShape(t, m, filepath.Join(folder, name), d.change))
				})
			}
		}
	}
}

// change has another call server say it.
func (d dialect) change(events []ami.Message) []ami.Message {
	for _, m := range events {
		for i, h := range m {
			if h.Name != "Timestamp" && h.Name != "Event" {
				m[i].Value = d.say(h.Value)
			}
		}
	}
	return events
}

// said is what is right then.
func (s shape) said(say func(string) string) shape {
	var of func(any) any
	of = func(value any) any {
		switch v := value.(type) {
		case string:
			return say(v)
		case []any:
			for i := range v {
				v[i] = of(v[i])
			}
		}
		return value
	}
	for _, row := range s.Rows {
		for name, value := range row {
			if name != "event" {
				row[name] = of(value)
			}
		}
	}
	return s
}

// TestOlder plays every transcript again without what older call servers and
// older filters do not say: what follows is the same.
func TestOlder(t *testing.T) {
	events := []string{"MixMonitorStart", "MixMonitorMute", "AgentCalled", "LocalBridge", "LocalOptimizationBegin", "LocalOptimizationEnd"}
	headers := []string{
		"BridgeTechnology", "BridgeCreator", "BridgeName", "BridgeVideoSourceMode", "SwapUniqueid",
		"Language", "AccountCode", "DestLanguage", "DestAccountCode", "ConnectedLineName", "Privilege",
	}
	change := func(all []ami.Message) []ami.Message {
		all = slices.DeleteFunc(all, func(m ami.Message) bool { return slices.Contains(events, m.Event()) })
		for i, m := range all {
			all[i] = slices.DeleteFunc(m, func(h ami.Header) bool { return slices.Contains(headers, h.Name) })
		}
		return all
	}
	for _, folder := range []string{"testdata/shapes", "testdata/calls"} {
		for name, want := range wanted(t, folder) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				want.hold(t, playShape(t, testMachine(), filepath.Join(folder, name), change))
			})
		}
	}
}

// TestTwoCallsAtOnce plays each transcript beside the next one, of other phones
// and an other system: neither shows in what follows of the other.
func TestTwoCallsAtOnce(t *testing.T) {
	folder := "testdata/calls"
	shapes := wanted(t, folder)
	names := slices.Sorted(maps.Keys(shapes))
	id := regexp.MustCompile(`1\d{9}\.\d+`)
	for i, name := range names[1:] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, beside := messages(t, filepath.Join(folder, name+".ami.gz")), messages(t, filepath.Join(folder, names[i]+".ami.gz"))
			late := events[0].Stamp().Sub(beside[0].Stamp())
			other := dialect{say: inTurn(
				replacing(`(PJSIP/|Local/)20`, "${1}21"), replacing("@", "@b-"), replacing("-(0000....)$", "-f$1"),
				func(value string) string {
					return id.ReplaceAllStringFunc(value, func(id string) string {
						sec, serial, _ := parseID(id)
						return fmt.Sprintf("%d.%d", sec+int64(late.Round(time.Second)/time.Second), serial+10_000)
					})
				})}
			both := shape{Events: shapes[name].Events}
			both.Rows = append(slices.Clone(shapes[name].Rows), wanted(t, folder)[names[i]].said(other.say).Rows...)
			both.hold(t, playShape(t, testMachine(), filepath.Join(folder, name), func(list []ami.Message) []ami.Message {
				if list[0].Stamp().IsZero() {
					return append(list, other.change(messages(t, filepath.Join(folder, "members.gz")))...)
				}
				return woven(list, other.change(beside), late)
			}))
		})
	}
}

// woven puts the events of two calls in one order, the second so much later
// than it was.
func woven(a, b []ami.Message, late time.Duration) []ami.Message {
	for _, m := range b {
		for i, h := range m {
			if h.Name == "Timestamp" {
				at := m.Stamp().Add(late)
				m[i].Value = fmt.Sprintf("%d.%06d", at.Unix(), at.Nanosecond()/1000)
			}
		}
	}
	all := append(a, b...)
	slices.SortStableFunc(all, func(a, b ami.Message) int { return a.Stamp().Compare(b.Stamp()) })
	return all
}

// TestPhonesOfAnyName has queues call phones whose names say nothing, behind
// Local channels, as Wazo's and MikoPBX's do, and whose states are hints: they
// ring, speak and are missed like all others.
func TestPhonesOfAnyName(t *testing.T) {
	d := dialect{say: inTurn(
		replacing(`^PJSIP/(20[12])$`, "hint:$1@ext-local"),
		replacing(`^PJSIP/(20[12])-`, "PJSIP/igbr8v3f_$1-WS-"))}
	device := replacing(`^PJSIP/(20[12])$`, "PJSIP/igbr8v3f_$1-WS")
	for _, name := range []string{
		"local", "local-n", "chain-of-locals", "two-locals-ring", "the-caller-gives-up", "internal-to-a-queue", "the-member-rejects-and-is-asked-again",
		"local-n-the-agent-hangs-up", "one-of-two-locals-rejects", "an-announcement-to-the-agent", "passed-on-to-the-same-queue", "a-queue-behind-a-local-channel",
	} {
		t.Run(name, func(t *testing.T) {
			want := wanted(t, "testdata/calls")[name].said(device)
			want.hold(t, playShape(t, testMachine(), "testdata/calls/"+name, d.change))
		})
	}
}
