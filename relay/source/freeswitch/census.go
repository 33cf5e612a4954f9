package freeswitch

import (
	"maps"
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
	Lost   int               // of a FreeSWITCH before it
	Based  bool              // it is known how many there were when the relay began to listen
}

// maxRecent is how many numbers are kept before the old ones are looked for.
const maxRecent = 1000

// start notes which FreeSWITCH it is, and reports whether it is another one
// than before. How many channels that one made in the end nobody can say.
func (c *census) start(core string) (restarted bool) {
	if core == "" || core == c.Core {
		return false
	}
	restarted = c.Core != ""
	*c = census{Core: core, Recent: map[int]time.Time{}, Lost: c.unheard(""), Based: restarted}
	return restarted
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
	maps.DeleteFunc(c.Recent, func(n int, _ time.Time) bool { return n <= c.Old })
}

// unheard returns how many channels nobody heard of, at most, by the answer to
// [askStatus].
func (c *census) unheard(status string) (n int) {
	made := sessions(status)
	for number := range c.Recent {
		made = max(made, number)
	}
	if n = c.Lost; c.Based {
		n += max(made-c.Old-len(c.Recent), 0)
	}
	c.Old, c.Lost, c.Based = max(c.Old, made), 0, c.Based || made >= 0
	c.forget()
	return n
}

// sessions is how many channels there were since the start; negative: it is
// not said.
func sessions(status string) int {
	for line := range strings.Lines(status) {
		if count, ok := strings.CutSuffix(strings.TrimSpace(line), " session(s) since startup"); ok {
			n, _ := strconv.Atoi(count)
			return n
		}
	}
	return -1
}
