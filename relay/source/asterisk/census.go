package asterisk

import "time"

// census finds how many channels Asterisk made while nobody listened: it
// numbers them, in their Uniqueids. Its zero value knows of none yet.
type census struct {
	Known       bool
	Sec, Number int64     // of the newest channel heard of
	Open        bool      // a gap is counted
	From        int64     // the newest before it
	Heard       int       // of the newer ones
	Told        int       // how many unheard ones were reported
	First       time.Time // the first new one after the gap was heard of; zero: none yet
}

// hear takes a channel that was not known, by its Uniqueid.
func (n *census) hear(id string) {
	sec, number, ok := parseID(id)
	if !ok {
		return
	}
	if n.Known && number < n.Number && sec > n.Sec+1 { // numbered anew: Asterisk was restarted
		*n = census{Open: n.Open, From: -1}
	}
	if n.Open && number > n.From {
		n.Heard++
	}
	n.Known, n.Sec, n.Number = true, max(n.Sec, sec), max(n.Number, number)
}

// begin begins to count what a gap hid. One that was not counted to its end
// becomes part of it.
func (n *census) begin() {
	if n.First = (time.Time{}); !n.Open {
		n.Open, n.From, n.Heard, n.Told = n.Known, n.Number, 0, 0
	}
}

// unheard returns how many channels are known by now to have been made
// unheard, without those that were reported.
func (n *census) unheard() int {
	if !n.Open {
		return 0
	}
	more := max(int(n.Number-n.From)-n.Heard-n.Told, 0)
	n.Told += more
	return more
}

// settle ends the count soon after the first channel after a gap, whose number
// shows all that were made before it. It reports whether it does now.
func (n *census) settle(at time.Time) bool {
	switch {
	case !n.Open || n.Number <= n.From:
	case n.First.IsZero():
		n.First = at
	case at.Sub(n.First) > patience:
		return true
	}
	return false
}
