package peers

import (
	"fmt"
	"slices"
	"testing"

	"callrelay/scripts/trial"
)

// signed is a request as the Standard Webhooks library judged it.
type signed struct {
	ID     string
	By     []bool // whether the old, the new secret verifies it
	Forged bool   // whether it verifies with another body
}

// TestStandardWebhooks changes a secret the way the standard has it: the new one
// is added, both sign, the old one is taken away.
func TestStandardWebhooks(t *testing.T) {
	const (
		older = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		newer = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDmhOX8OoQrDE="
	)
	receiver := startNode[signed](t, "webhooks.js", older, newer)
	config := func(secrets string) string {
		return trial.Service("crm", receiver.Listening["url"], "signing = "+secrets)
	}
	r := trial.New(t, binary, config(fmt.Sprintf("[%q]", older)))
	r.Start()
	came := "nothing"
	row(t, "npm standardwebhooks", "30 events while a secret is changed", &came)
	for i, step := range []struct {
		name, secrets string
		want          []bool
	}{
		{"before", fmt.Sprintf("[%q]", older), []bool{true, false}},
		{"both", fmt.Sprintf("[%q, %q]", newer, older), []bool{true, true}},
		{"after", fmt.Sprintf("[%q]", newer), []bool{false, true}},
	} {
		r.Reload(config(step.secrets))
		ids := r.Accept(trial.Numbered(step.name, "agent_termination", 10)...)
		settled(r, "crm")
		r.Until("the receiver has said what it took", func() bool { return len(receiver.Arrivals()) >= 10*(i+1) })
		arrivals := receiver.Arrivals()[10*i:]
		if len(arrivals) != len(ids) {
			t.Fatalf("%s: got %d requests, want %d", step.name, len(arrivals), len(ids))
		}
		for _, a := range arrivals {
			if !slices.Contains(ids, a.ID) || !slices.Equal(a.By, step.want) || a.Forged {
				t.Errorf("%s: got %+v, want it verified by %v", step.name, a, step.want)
			}
		}
	}
	came = fmt.Sprintf("%d delivered, each verified by the secrets of its time and by no other", len(receiver.Arrivals()))
}
