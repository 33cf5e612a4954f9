package asterisk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// numbered is an event of a channel: when it was made, and its number.
func numbered(event, id string) ami.Message {
	_, number, _ := strings.Cut(id, ".")
	return ami.Message{{Name: "Event", Value: event}, {Name: "Uniqueid", Value: id}, {Name: "Linkedid", Value: id}, {Name: "Channel", Value: "PJSIP/my-phone-000000" + number}}
}

// unheardIn adds up what the gaps among the events count.
func unheardIn(t *testing.T, events []source.Event) (n int) {
	t.Helper()
	for _, o := range events {
		var one int
		if _, rest, ok := strings.Cut(string(o.Body), `"channels_unheard":`); ok {
			if _, err := fmt.Sscanf(rest, "%d", &one); err != nil {
				t.Fatal(err)
			}
		}
		n += one
	}
	return n
}

// Channels that came and went while nobody listened are counted by the numbers
// of those that are heard of, even if no queue and no channel alive tells of
// them.
func TestChannelsUnheard(t *testing.T) {
	at := time.Unix(1795000000, 0)
	for _, test := range []struct {
		name  string
		alive []string // after the gap, in which more were made
		later []string // made thereafter
		want  int
	}{
		{"none", nil, []string{"1795000060.12"}, 0},
		{"between", nil, []string{"1795000060.16"}, 4},
		{"before one that is alive", []string{"1795000050.15"}, []string{"1795000060.16"}, 3},
		{"before and after it", []string{"1795000050.13"}, []string{"1795000060.16"}, 3},
		{"nothing after it", []string{"1795000050.12"}, nil, 0},
		{"since a restart", nil, []string{"1795000060.02"}, 2},
		{"a restart alone", nil, []string{"1795000060.00", "1795000060.01"}, 0},
		{"out of order", nil, []string{"1795000060.13", "1795000060.12"}, 0},
		{"with ids of a dialplan", []string{"mine"}, []string{"1795000060.12"}, 0},
		{"of a system with a name", nil, []string{"pbx-1-1795000060.13"}, 1},
	} {
		m := newMachine("pbx", nil, nil, "")
		afterGap{m}.resume(at)
		afterGap{m}.reconcile(source.GapStart, time.Time{}, nil, nil)
		m.apply(numbered("Newchannel", "1795000001.11"), at)
		m.apply(numbered("Hangup", "1795000001.11"), at)
		at := at.Add(time.Minute)
		afterGap{m}.resume(at)
		var alive []ami.Message
		for _, id := range test.alive {
			alive = append(alive, numbered("CoreShowChannel", id))
		}
		all := afterGap{m}.reconcile(source.GapDisconnect, at.Add(-time.Minute), alive, nil)
		for _, id := range test.later {
			all = append(all, m.tick(at)...)
			all = append(all, m.apply(numbered("Newchannel", id), at)...)
		}
		for range 3 {
			at = at.Add(patience)
			all = append(all, m.tick(at)...)
		}
		if got := unheardIn(t, all); got != test.want {
			t.Errorf("%s: %d channels unheard, want %d", test.name, got, test.want)
		}
	}
}

// In a burst, what is counted as unheard is what came and went in the gap, and
// no more than that.
func TestUnheardInBurst(t *testing.T) {
	events := telling(transcript(t, "burst"))
	for from := len(events) / 10; from < len(events)-400; from += len(events) / 7 {
		for _, length := range []int{0, 20, 100, 350} {
			gone, made := 0, map[string]bool{}
			for _, ev := range events[from : from+length] {
				switch id := ev.Get("Uniqueid"); {
				case ev.Event() == "Newchannel":
					made[id] = true
				case ev.Event() == "Hangup" && made[id]:
					gone++
				}
			}
			all, _ := gapped(t, events, from, from+length)
			got := unheardIn(t, all)
			counted := 2 * count(t, all).missing
			if got > gone || got+counted < gone {
				t.Errorf("from %d, %d events: %d channels unheard and %d of counted segments, %d came and went", from, length, got, counted, gone)
			}
		}
	}
}
