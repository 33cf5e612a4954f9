package freeswitch

import (
	"strconv"
	"strings"
	"time"

	"callrelay/relay/source/freeswitch/esl"
)

// census finds how many channels FreeSWITCH made while nobody listened: it
// numbers them since its start, and says how many there were.
type census struct {
	Core   string            // FreeSWITCH, since its start; empty: not heard of yet
	Old    int               // the number up to which nothing new is heard of
	Recent map[int]time.Time // the later ones that were heard of, and when
}

// maxRecent is how many numbers are kept before the old ones are looked for.
const maxRecent = 1000

// start notes which FreeSWITCH it is.
func (c *census) start(core string) {
	if core != "" && core != c.Core {
		*c = census{Core: core, Recent: map[int]time.Time{}}
	}
}

// hear takes a leg that was not known.
func (c *census) hear(ev esl.Event, at time.Time) {
	c.start(ev.Get("Core-UUID"))
	n, err := strconv.Atoi(ev.Get("variable_session_id"))
	if err != nil || n <= c.Old || c.Recent == nil {
		return
	}
	if c.Recent[n] = at; len(c.Recent) > maxRecent {
		c.age(at)
	}
}

// age gives up waiting for what was made some time before a moment: channels
// are not always heard of in the order of their numbers, and some never.
func (c *census) age(at time.Time) {
	for n, heard := range c.Recent {
		if at.Sub(heard) > patience {
			c.Old = max(c.Old, n)
		}
	}
	c.forget()
}

func (c *census) forget() {
	for n := range c.Recent {
		if n <= c.Old {
			delete(c.Recent, n)
		}
	}
}

// unheard returns how many channels nobody heard of, at most, by the answers
// to [askCore] and [askStatus].
func (c *census) unheard(core, status string) (n int) {
	first := c.Core == ""
	c.start(core)
	made := sessions(status)
	for number := range c.Recent {
		made = max(made, number)
	}
	n = max(made-c.Old-len(c.Recent), 0)
	c.Old = max(c.Old, made)
	c.forget()
	if first {
		return 0
	}
	return n
}

// sessions is how many channels there were since the start.
func sessions(status string) int {
	for line := range strings.Lines(status) {
		if count, ok := strings.CutSuffix(strings.TrimSpace(line), " session(s) since startup"); ok {
			n, _ := strconv.Atoi(count)
			return n
		}
	}
	return 0
}
