package deliver

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"callrelay/queue"
	"callrelay/relay/exchange"
)

func owed(n int) []queue.Record {
	var recs []queue.Record
	for _, id := range names("e", n) {
		recs = append(recs, record("crm", id, ""))
	}
	return recs
}

func TestRetriesFollowTheScheduleAndKeepCounting(t *testing.T) {
	bubble(t, "retry_schedule = [\"5s\", \"30s\", \"2m\"]\n[service.breaker]\nfailures = 100\nratio = 1.0", func(b *bench) {
		b.respond(always(500))
		b.lane.owe(owed(1)...)
		b.after(8 * time.Minute)
		attempts := b.attempts()
		if len(attempts) < 4 {
			t.Fatalf("%d attempts in 8 minutes: %v", len(attempts), attempts)
		}
		for i, step := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute} {
			gap := attempts[i+1].at - attempts[i].at
			if gap < step*8/10 || gap > step*12/10+time.Millisecond {
				t.Errorf("attempt %d came after %s, want %s and at most a fifth more or less", i+2, gap, step)
			}
			if attempts[i+1].number != i+2 {
				t.Errorf("attempt %d is numbered %d", i+2, attempts[i+1].number)
			}
		}
		if b.lane.tally().parks < 2 {
			t.Errorf("parked %d times, want the long delays in the queue", b.lane.tally().parks)
		}
		b.respond(nil)
		b.after(3 * time.Minute)
		if b.lane.tally().done != 1 {
			t.Errorf("%+v", b.lane.tally())
		}
	})
}

func TestRetryAfterLengthensTheDelay(t *testing.T) {
	bubble(t, "retry_schedule = [\"1s\"]", func(b *bench) {
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			if a.Number > 1 {
				return exchange.Reply{Status: 200}, nil
			}
			return exchange.Reply{Status: 503, Header: exchange.Headers{{Name: "Retry-After", Value: "120"}}}, nil
		})
		b.lane.owe(owed(1)...)
		b.after(5 * time.Minute)
		attempts := b.attempts()
		if len(attempts) != 2 || attempts[1].at-attempts[0].at != 120*time.Second {
			t.Errorf("attempts = %v, want the second 120 s after the first", attempts)
		}
	})
}

func TestAWaitingRetryTakesNoPlace(t *testing.T) {
	bubble(t, "concurrency = 1\nretry_schedule = [\"5s\"]\n[service.breaker]\nfailures = 100", func(b *bench) {
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			if a.ID == "e-0" {
				return exchange.Reply{Status: 500}, nil
			}
			return exchange.Reply{Status: 200}, nil
		})
		b.lane.owe(owed(100)...)
		b.after(time.Second)
		if n := b.lane.tally().done; n != 99 {
			t.Errorf("%d done beside the one that fails, want 99", n)
		}
	})
}

func TestAnOpenBreakerHoldsAllAndProbesWithTheOldest(t *testing.T) {
	bubble(t, "", func(b *bench) {
		b.respond(always(503))
		b.lane.owe(owed(50)...)
		b.after(14 * time.Second)
		first := len(b.attempts())
		if first < 5 || first > 9 {
			t.Errorf("%d attempts before the breaker opened, want a handful", first)
		}
		b.after(15 * time.Minute)
		attempts := b.attempts()[first:]
		if len(attempts) < 4 || len(attempts) > 8 {
			t.Errorf("%d probes in 15 minutes: %v", len(attempts), attempts)
		}
		for i, probe := range attempts {
			if probe.id != "e-0" || i > 0 && probe.number != attempts[i-1].number+1 {
				t.Errorf("probe %d was attempt %d of %s, want the oldest, e-0", i+1, probe.number, probe.id)
			}
		}
		if n := b.lane.tally().done + len(b.lane.dead); n != 0 {
			t.Errorf("%d deliveries ended", n)
		}
		b.respond(nil)
		b.endpoint.breaker.probe()
		b.after(time.Second)
		if n := b.lane.tally().done; n != 50 {
			t.Errorf("%d done at once after the endpoint was mended, want 50", n)
		}
	})
}

// A relay without file descriptors says nothing of an endpoint, and tries again.
func TestNoDescriptorsOpenNoBreaker(t *testing.T) {
	bubble(t, "retry_schedule = [\"1s\"]", func(b *bench) {
		b.respond(func(*exchange.Attempt) (exchange.Reply, error) {
			return exchange.Reply{}, fmt.Errorf("dial: %w", syscall.EMFILE)
		})
		b.lane.owe(owed(50)...)
		b.after(30 * time.Second)
		if state, _ := b.endpoint.breaker.state(); state != BreakerClosed {
			t.Errorf("the breaker is %s", state)
		}
		b.respond(nil)
		b.after(10 * time.Second)
		if n := b.lane.tally().done; n != 50 {
			t.Errorf("%d done afterwards, want 50", n)
		}
	})
}

func TestWhatIsParkedComesDueWhenTheBreakerCloses(t *testing.T) {
	bubble(t, "retry_schedule = [\"6h\"]\n[service.breaker]\nmax_open = \"15s\"", func(b *bench) {
		var told sync.Once // to the first attempt
		b.respond(func(*exchange.Attempt) (reply exchange.Reply, _ error) {
			told.Do(func() { reply.Header = exchange.Headers{{Name: "Retry-After", Value: "600"}} })
			reply.Status = 500
			return reply, nil
		})
		b.lane.owe(owed(20)...)
		b.after(time.Minute)
		b.respond(nil)
		b.after(16 * time.Second)
		if n := b.lane.tally().done; n != 19 {
			t.Errorf("%d done after the breaker closed, want all 20 but the one that was told when to return", n)
		}
		b.after(10 * time.Minute)
		if n := b.lane.tally().done; n != 20 {
			t.Errorf("%d done after its Retry-After, want 20", n)
		}
	})
}

func TestPlacesGrowAfterTheBreakerCloses(t *testing.T) {
	bubble(t, "", func(b *bench) {
		b.respond(always(503))
		b.lane.owe(owed(100)...)
		b.after(time.Second)
		b.respond(func(*exchange.Attempt) (exchange.Reply, error) {
			pass(100 * time.Millisecond)
			return exchange.Reply{Status: 200}, nil
		})
		before := len(b.attempts())
		b.endpoint.breaker.probe()
		b.after(500 * time.Millisecond)
		began := map[time.Duration]int{}
		for _, a := range b.attempts()[before:] {
			began[(a.at-b.attempts()[before].at)/(100*time.Millisecond)]++
		}
		for round, want := range []int{1, 2, 4, 8} {
			if began[time.Duration(round)] != want {
				t.Errorf("round %d began %d attempts, want %d (%v)", round, began[time.Duration(round)], want, began)
			}
		}
	})
}

func TestExpiresAtItsAge(t *testing.T) {
	for _, test := range []struct {
		name string
		more string
		hold bool
	}{
		{"while it is retried", "max_age = \"10m\"\n[service.breaker]\nfailures = 1000\nratio = 1.0", false},
		{"while the breaker is open", "max_age = \"10m\"\n[service.breaker]\nopen = \"1h\"\nmax_open = \"1h\"", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, test.more, func(b *bench) {
				b.respond(always(503))
				b.lane.owe(owed(6)...)
				for range 601 { // as Deliverer.tend does
					b.after(time.Second)
					b.expire(time.Now())
				}
				b.after(time.Second)
				attempts := 0
				for id, d := range b.lane.letters() {
					if d.Reason != ReasonExpired {
						t.Errorf("%s: %+v", id, d)
					}
					attempts += d.Attempts
				}
				if n := b.lane.tally(); n.dead+n.fresh != 6 || n.dead == 0 {
					t.Errorf("%+v, want all 6 dead or in the queue", n)
				}
				if attempts < 5 {
					t.Errorf("the dead letters tell of %d attempts", attempts)
				}
			})
		})
	}
}

func TestWhatCannotBeParkedStaysInPlace(t *testing.T) {
	bubble(t, "retry_schedule = [\"1m\"]", func(b *bench) {
		b.lane.refuse(true)
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			if a.Number == 1 {
				return exchange.Reply{Status: 500}, nil
			}
			return exchange.Reply{Status: 422}, nil
		})
		b.lane.owe(owed(1)...)
		b.after(2 * time.Minute)
		if n := len(b.attempts()); n != 2 {
			t.Errorf("%d attempts, want 2: one, and another after the delay; none while its dead letter cannot be stored", n)
		}
		b.lane.refuse(false)
		b.after(2 * time.Second)
		if d := b.lane.letters()["e-0"]; d.Reason != ReasonRejected || d.Attempts != 2 || d.Status != 422 {
			t.Errorf("dead letter = %+v", d)
		}
	})
}

func TestStopGivesBackWhatWaitsWithItsAttempts(t *testing.T) {
	var lane *fakeLane
	bubble(t, "", func(b *bench) {
		lane = b.lane
		b.respond(always(503))
		b.lane.owe(owed(30)...)
		b.after(time.Second)
	})
	if len(lane.held) != 0 || len(lane.fresh)+len(lane.parked) != 30 {
		t.Errorf("%d in flight, %d fresh, %d parked after the stop", len(lane.held), len(lane.fresh), len(lane.parked))
	}
	for _, e := range lane.parked {
		if e.parking.Attempts != 1 || !e.parking.Held {
			t.Errorf("%s parked as %+v", e.record.ID, e.parking)
		}
	}
	if len(lane.parked) < 5 {
		t.Errorf("only %d keep their attempt", len(lane.parked))
	}
}

func TestRateIsKept(t *testing.T) {
	bubble(t, `rate = "50/s"`, func(b *bench) {
		b.lane.owe(owed(2000)...)
		b.after(20 * time.Second)
		if n := len(b.attempts()); n < 980 || n > 1020 {
			t.Errorf("%d attempts in 20 s at 50 a second", n)
		}
	})
}

func TestConnectionErrorsAreRetried(t *testing.T) {
	bubble(t, "", func(b *bench) {
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			if a.Number == 1 {
				return exchange.Reply{}, errors.New("connection refused")
			}
			return exchange.Reply{Status: 200}, nil
		})
		b.lane.owe(owed(3)...)
		b.after(10 * time.Second)
		if b.lane.tally().done != 3 {
			t.Errorf("%+v", b.lane.tally())
		}
	})
}

func TestAReloadThatChangesTheEndpointDrainsWhatWaits(t *testing.T) {
	bubble(t, "", func(b *bench) {
		b.respond(always(401))
		b.lane.owe(owed(40)...)
		b.after(time.Minute)
		if state := stateOf(b.endpoint.breaker); state != BreakerOpen {
			t.Fatalf("breaker is %s", state)
		}
		b.respond(nil)
		changed := *b.table.Service("crm")
		changed.Description = "of no importance"
		b.apply(b.setupOf(&changed, time.Now()), b.endpoint, false)
		b.after(time.Second)
		if n := b.lane.tally().done; n != 0 {
			t.Errorf("%d done after a reload that changes nothing of the call", n)
		}
		changed.Proxy = b.table.Service("crm").Proxy
		again := changed
		again.Timeout++
		b.apply(b.setupOf(&again, time.Now()), b.endpoint, false)
		b.after(time.Second)
		if n := b.lane.tally().done; n != 40 {
			t.Errorf("%d done after a reload that changes the call, want 40", n)
		}
	})
}

func TestHoldGivesBackAndGoesOn(t *testing.T) {
	bubble(t, "", func(b *bench) {
		b.hold(true)
		b.lane.owe(owed(10)...)
		b.after(time.Minute)
		if n := len(b.attempts()); n != 0 {
			t.Errorf("%d attempts while held", n)
		}
		if n := b.lane.tally().held; n != 0 {
			t.Errorf("%d in flight while held", n)
		}
		b.hold(false)
		b.after(time.Second)
		if n := b.lane.tally().done; n != 10 {
			t.Errorf("%d done", n)
		}
	})
}

func TestPoisonedEventsDoNotBlockOthers(t *testing.T) {
	bubble(t, "", func(b *bench) {
		b.respond(func(a *exchange.Attempt) (exchange.Reply, error) {
			n, _ := strconv.Atoi(a.ID[2:])
			pass(time.Millisecond)
			if n%10 == 0 {
				return exchange.Reply{Status: 500}, nil
			}
			return exchange.Reply{Status: 200}, nil
		})
		b.lane.owe(owed(2000)...)
		b.after(10 * time.Second)
		if n := b.lane.tally().done; n != 1800 {
			t.Errorf("%d of the other 1800 are done", n)
		}
	})
}
