package deliver

import (
	"testing"
	"time"
)

func TestAFailureIsNewsOnceAndThenANumber(t *testing.T) {
	r, now := newRepeats(), time.Unix(0, 0)
	down, slow := failing{service: "crm", class: "5xx", status: 503}, failing{service: "crm", class: "timeout"}
	told, counted := 0, 0
	for second := range 24 * 60 * 60 { // one day in which every second two attempts fail, in two ways
		now = time.Unix(int64(second), 0)
		for _, f := range []failing{down, slow} {
			if r.news(f, now) {
				told++
			}
		}
		for _, s := range r.due(now) {
			told++
			counted += s.count
		}
	}
	for _, s := range r.due(now.Add(lastSummary)) {
		counted += s.count
	}
	if told < 20 || told > 70 || counted != 2*24*60*60-2 {
		t.Errorf("a day of failures: %d records that tell of %d repeats, want about 58 of all but the first two", told, counted)
	}
	if list := r.due(now.Add(3 * lastSummary)); len(list) > 0 || !r.news(down, now.Add(3*lastSummary)) {
		t.Errorf("a failure that is over is no news when it comes back: %v", list)
	}
}

func TestFailuresOfServicesAreApart(t *testing.T) {
	r, now := newRepeats(), time.Unix(0, 0)
	for _, f := range []failing{{service: "a", class: "5xx"}, {service: "b", class: "5xx"}, {service: "a", reason: "rejected"}} {
		if !r.news(f, now) || r.news(f, now) {
			t.Errorf("%+v is not news once", f)
		}
	}
	r.forget("a")
	if list := r.due(now.Add(firstSummary)); len(list) != 1 || list[0].service != "b" || list[0].count != 1 {
		t.Errorf("got %v, want b once", list)
	}
}
