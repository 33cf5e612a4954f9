package deliver

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/exchange"
)

// TestStates holds what each state means to those who show it: its number in
// the metrics, how well it is, and whether it holds deliveries.
func TestStates(t *testing.T) {
	var got []string
	for _, s := range ServiceStates() {
		got = append(got, fmt.Sprintf("%s %d %q", s.Name, s.Level, heldBy(Status{State: s.Name})))
	}
	for _, s := range BreakerStates() {
		got = append(got, fmt.Sprintf("%s %d %q %v", s.Name, s.Level, heldBy(Status{State: StateActive, Breaker: s.Name}), breakerValue(s.Name)))
	}
	want := []string{
		`active 1 ""`, `inactive 0 ""`, `paused 0 "paused"`, `orphaned 2 "orphaned"`,
		`closed 1 "" 0`, `half-open 0 "breaker half-open" 1`, `open 2 "breaker open" 2`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("states are %q, want %q", got, want)
	}
	for _, s := range append(ServiceStates(), BreakerStates()...) {
		if s.Text == "" || StateNamed(s.Name) != s {
			t.Errorf("state %s is not described, or is there twice", s.Name)
		}
	}
}

// TestAStateThatCannotBeReadIsSaid has files of states that are damaged, or empty:
// an operator must know that what he paused is not.
func TestAStateThatCannotBeReadIsSaid(t *testing.T) {
	for _, test := range []struct {
		name, damaged string
		open          func(s states, log *slog.Logger)
		want          string
	}{
		{pausesState, `{"crm":`, func(s states, log *slog.Logger) {
			if err := newPauses(s, log).pause("crm", "by an operator"); err != nil {
				t.Error(err)
			}
		}, `level=ERROR msg="pauses not known, so no service is paused" err="read paused: unexpected end of JSON input"`},
		{breakersState, `{}`, func(s states, log *slog.Logger) {
			newBreakers(s, log, nil).endpoint("http://127.0.0.1:1", config.Breaker{})
		}, `level=ERROR msg="breakers not known, so all begin closed" err="read breakers: `},
		{exchange.StateName("quota", "crm"), ``, func(s states, log *slog.Logger) {
			newQuota("crm", 10, s, log).take(time.Now())
		}, `level=ERROR msg="attempts of the day not known, so none is counted" err="read `},
	} {
		for _, there := range []bool{true, false} {
			var out bytes.Buffer
			s := states{}
			if there {
				s[test.name] = []byte(test.damaged)
			}
			test.open(s, slog.New(slog.NewTextHandler(&out, nil)))
			if got := out.String(); strings.Contains(got, test.want) != there || !there && got != "" {
				t.Errorf("%s there %t: logged %q, want %q", test.name, there, got, test.want)
			}
		}
	}
}
