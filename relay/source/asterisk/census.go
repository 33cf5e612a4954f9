package asterisk

import (
	"strconv"
	"strings"
	"time"
)

// census finds how many phones and lines Asterisk called or heard from while
// nobody listened: it numbers their channels, in the names of these. It is by
// technology; others than PJSIP and SIP number otherwise, or not at all.
type census map[string]*numbers

// numbers are those of one technology.
type numbers struct {
	Sec, Newest int64     // when the newest channel heard of was made, and its number
	Open        bool      // a gap is counted
	From        int64     // the newest before it
	Heard       int       // of the newer ones, or reported as unheard
	First       time.Time // the first new one after the gap was heard of; zero: none yet
}

// hear takes a leg that was not known.
func (c census) hear(l *leg) {
	tech, rest, _ := strings.Cut(l.Channel, "/")
	_, suffix, _ := cutLast(rest, "-")
	number, err := strconv.ParseInt(suffix, 16, 64)
	sec, _, ok := parseID(l.ID)
	if tech != "PJSIP" && tech != "SIP" || err != nil || !ok {
		return
	}
	n := c[tech]
	switch {
	case n == nil:
		n = &numbers{Sec: sec, Newest: number}
		c[tech] = n
	case number < n.Newest && sec > n.Sec+1: // numbered anew: Asterisk was restarted
		*n = numbers{Open: n.Open, From: -1}
	}
	if n.Open && number > n.From {
		n.Heard++
	}
	n.Sec, n.Newest = max(n.Sec, sec), max(n.Newest, number)
}

// begin begins to count what a gap hid. One that was not counted to its end
// becomes part of it.
func (c census) begin() {
	for _, n := range c {
		if n.First = (time.Time{}); !n.Open {
			n.Open, n.From, n.Heard = true, n.Newest, 0
		}
	}
}

// unheard returns how many channels are known by now to have been made
// unheard, without those that were reported.
func (c census) unheard() (all int) {
	for _, n := range c {
		if n.Open {
			more := max(int(n.Newest-n.From)-n.Heard, 0)
			n.Heard += more
			all += more
		}
	}
	return all
}

// settle ends the count soon after the first channel after a gap, whose number
// shows all that were made before it, and returns what was not reported.
func (c census) settle(at time.Time) (all int) {
	for tech, n := range c {
		switch {
		case !n.Open || n.Newest <= n.From:
		case n.First.IsZero():
			n.First = at
		case at.Sub(n.First) > patience:
			all += census{tech: n}.unheard()
			n.Open = false
		}
	}
	return all
}
