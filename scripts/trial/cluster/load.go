package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"callrelay/scripts/trial"
)

const (
	callsAtOnce = 20 // of one relay; each step sends the next event of each
	callLength  = 20
	loadStep    = 100 * time.Millisecond
	loadRetry   = 250 * time.Millisecond
)

// taken is an event that was accepted.
type taken struct {
	id string
	at time.Time
}

// A load plays the call server of one relay: it sends events, and sends again
// what was not accepted, so that the events of a call are accepted in order.
type load struct {
	relay    *trial.Relay
	name     string
	services int
	quit     chan struct{}
	ended    chan struct{}

	mu       sync.Mutex
	accepted []taken
}

func startLoad(r *trial.Relay, name string, services int) *load {
	l := &load{relay: r, name: name, services: services, quit: make(chan struct{}), ended: make(chan struct{})}
	go l.run()
	return l
}

func (l *load) run() {
	defer close(l.ended)
	for step := 0; ; step++ {
		events := l.step(step)
		for len(events) > 0 {
			select {
			case <-l.quit:
				return
			case <-time.After(loadStep):
			}
			if events = l.send(events); len(events) > 0 {
				<-time.After(loadRetry)
			}
		}
	}
}

// step makes the next event of each call. The calls of half of them go to
// services that keep their order.
func (l *load) step(step int) []string {
	events := make([]string, callsAtOnce)
	for i := range events {
		round, n := step/callLength, step%callLength
		service := (round*callsAtOnce + i) % l.services
		if i%2 == 0 {
			service = i % orderedServices
		}
		call := fmt.Sprintf("%s-%d-%d", l.name, round, i)
		events[i] = event(service, call, n)
	}
	return events
}

// event is the nth of a call, owed to one service.
func event(service int, call string, n int) string {
	return fmt.Sprintf(`{"event":"agent_termination","queue":"q%d","uii":%q,"id":"%s-%d","n":%d}`, service, call, call, n, n)
}

// send returns what was not accepted.
func (l *load) send(events []string) []string {
	line, err := l.relay.Dial()
	if err != nil {
		return events
	}
	defer line.Close() //nolint:errcheck // what was answered counts
	_ = line.SetDeadline(time.Now().Add(10 * time.Second))
	replies, _ := line.Send(events...)
	var again []string
	for i, event := range events {
		if i < len(replies) && replies[i].Accepted {
			l.mu.Lock()
			for _, id := range replies[i].IDs {
				l.accepted = append(l.accepted, taken{id, time.Now()})
			}
			l.mu.Unlock()
			continue
		}
		again = append(again, event)
	}
	return again
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// stop returns what was accepted.
func (l *load) stop() []taken {
	close(l.quit)
	<-l.ended
	return l.accepted
}

// ordered reports whether a path is that of a service with order = "call".
func ordered(path string) bool { return number(strings.TrimPrefix(path, "/s")) < orderedServices }

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func decode(body string, v any) error { return json.Unmarshal([]byte(body), v) }
