package deliver

import (
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"callrelay/queue"
)

// An endpoint that takes so much and says when to come again is given as much,
// and its breaker stays closed.
func TestALimitedEndpointIsGivenWhatItTakes(t *testing.T) {
	t.Parallel()
	const perWindow, window, events = 10, 100 * time.Millisecond, 80
	rc := newReceiver(t)
	var mu sync.Mutex
	var at time.Time
	taken := 0
	rc.respond(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now().Truncate(window)
		if !now.Equal(at) {
			at, taken = now, 0
		}
		if taken++; taken > perWindow {
			w.Header().Set("Retry-After", "0.1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	r := rigged(t, service("crm", rc.URL, "retry_schedule = [\"500ms\", \"1h\"]")) // refused twice, it comes when the endpoint said
	began := time.Now()
	r.owe("crm", names("e", events)...)
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == events })
	if took, best := time.Since(began), events/perWindow*window; took > 3*best {
		t.Errorf("it took %s, want about %s", took, best)
	}
	if s := r.status("crm"); s.Breaker != BreakerClosed {
		t.Errorf("breaker %s", s.Breaker)
	}
}

// An endpoint that is not known to limit shortens no delay by its Retry-After,
// even when it took something just before.
func TestRetryAfterShortensNoDelay(t *testing.T) {
	rc := newReceiver(t)
	r := rigged(t, service("crm", rc.URL, "retry_schedule = [\"500ms\"]"))
	r.owe("crm", "first")
	r.until("the first is delivered", func() bool { return r.status("crm").Delivered == 1 })
	rc.respond(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Relay-Attempt") == "1" {
			w.Header().Set("Retry-After", "0.01")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	r.owe("crm", "second")
	r.until("the second is delivered", func() bool { return r.status("crm").Delivered == 2 })
	requests := rc.requests()
	if pause := requests[2].at.Sub(requests[1].at); pause < 400*time.Millisecond {
		t.Errorf("tried again after %s, want the schedule's 500 ms less a fifth", pause)
	}
}

// What an endpoint says with 503 holds for the whole service.
func TestNothingIsSentWhileAnEndpointRests(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	toml := service("crm", rc.URL, "retry_schedule = [\"20ms\"]")
	r := rigged(t, toml)
	r.owe("crm", names("e", 20)...)
	r.until("the first are refused", func() bool { return rc.count() > 0 && r.status("crm").InFlight == 0 })
	first := rc.count()
	if first > 5 {
		t.Errorf("%d attempts at once", first)
	}
	r.until("it is asked again", func() bool { return rc.count() > first })
	requests := rc.requests()
	if pause := requests[first].at.Sub(requests[first-1].at); pause < 900*time.Millisecond {
		t.Errorf("asked again after %s", pause)
	}
	if s := r.status("crm"); s.Breaker != BreakerClosed {
		t.Errorf("breaker %s", s.Breaker)
	}
	rc.respond(nil)
	r.Apply(r.table(toml + "\n"))
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 20 })
}

func TestAConflictSaysNothingOfTheEndpoint(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Relay-Attempt") == "1" {
			w.Header().Set("Retry-After", "0.01")
			w.WriteHeader(http.StatusConflict)
		}
	})
	r := rigged(t, service("crm", rc.URL, "retry_schedule = [\"10ms\"]"))
	r.owe("crm", names("e", 20)...)
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 20 })
	if s := r.status("crm"); s.Breaker != BreakerClosed {
		t.Errorf("breaker %s", s.Breaker)
	}
}

// states keeps in memory.
type states map[string][]byte

func (s states) Save(name string, data []byte) error { s[name] = data; return nil }

func (s states) Load(name string) ([]byte, error) {
	if data, ok := s[name]; ok {
		return data, nil
	}
	return nil, queue.ErrNotFound
}

// A quota holds for any 24 hours, across restarts, however they come.
func TestQuota(t *testing.T) {
	q := states{}
	const limit = 5000
	now := time.Unix(1_800_000_000, 0)
	took := func(c *quota, at time.Time, most int) (n int) {
		for n < most && c.take(at) == 0 {
			n++
		}
		return n
	}
	c := newQuota("crm", limit, q, slog.New(slog.DiscardHandler))
	total := took(c, now, 1003)
	c.stop()
	c = newQuota("crm", limit, q, slog.New(slog.DiscardHandler))
	total += took(c, now.Add(time.Hour), 1002) // and a crash: what was set apart is lost
	c = newQuota("crm", limit, q, slog.New(slog.DiscardHandler))
	total += took(c, now.Add(23*time.Hour), limit)
	if total > limit || total < limit-limit/1000 {
		t.Errorf("%d attempts in a day, want %d", total, limit)
	}
	pause := c.take(now.Add(23 * time.Hour))
	if end := now.Add(23 * time.Hour).Add(pause).Sub(now); end < 24*time.Hour || end > 24*time.Hour+2*quotaStep {
		t.Errorf("the next begins after %s", end)
	}
	if n := took(c, now.Add(23*time.Hour).Add(pause), limit); n < 1000 || n > 1010 {
		t.Errorf("%d attempts are free again, want those of the first hour", n)
	}
	if newQuota("crm", 0, q, nil).take(now) != 0 {
		t.Error("without a quota something waits")
	}
}

func TestAUsedUpQuotaHoldsTheRest(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	toml := service("crm", rc.URL, "rate = \"7/d\"")
	r := rigged(t, toml)
	r.owe("crm", names("e", 20)...)
	r.until("what may be is delivered", func() bool { return r.status("crm").Delivered == 7 })
	r.restart(toml)
	r.owe("crm", "another")
	r.until("it rests", func() bool { return r.runner("crm").rest.lasts() })
	if n := rc.count(); n != 7 {
		t.Errorf("%d attempts, want 7", n)
	}
	r.Apply(r.table(service("crm", rc.URL, "")))
	r.until("without it all are delivered", func() bool { return rc.count() == 21 })
}
