package asterisk

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"callrelay/relay/source"
)

// prompt is how soon after the queue's part of it a segment ends.
const prompt = 500 * time.Millisecond

// talks are the conversations: who hears whom, and the segments that these are.
type talks struct {
	*ledger
	tapes
}

// enters puts a leg into a bridge. In one where it waits, a segment of it is
// over.
func (t *talks) enters(l *leg, bridge string, holding bool, at time.Time) {
	t.displace(l, l.Bridge)
	l.enter(bridge, holding, at)
	t.place(l, bridge)
	t.undialled = t.undialled || l.Dial == nil && !l.Began && !l.local()
	switch {
	case !l.open():
		l.Unsure = l.Unsure && len(l.Bridged) < 2
	case holding:
		t.finish(l, at)
	}
	if !holding {
		t.settle(at, nil, false, l)
	}
}

// leaves takes a leg out of a bridge; moved says that it went elsewhere in the
// dialplan.
func (t *talks) leaves(l *leg, bridge string, moved bool, at time.Time) {
	if l.Bridge != bridge {
		return
	}
	rest := t.beside(l)
	t.displace(l, bridge)
	l.leave(at)
	t.settle(at, l, moved, append(rest, l)...)
}

// hold notes that the leg puts its peer on hold.
func (l *leg) hold(at time.Time) {
	if l.Held.IsZero() {
		l.Held = at
	}
}

// unhold notes that the leg is back from hold.
func (l *leg) unhold(at time.Time) {
	if s := l.Segment; !l.Held.IsZero() && s != nil && !s.Done {
		s.Held += max(at.Sub(source.Later(l.Held, s.Start)), 0)
	}
	l.Held = time.Time{}
}

// settle looks again at all who are connected with the legs, of whom one has
// just come, or left if it is not nil; moved says that it went elsewhere in
// the dialplan.
func (t *talks) settle(at time.Time, left *leg, moved bool, legs ...*leg) {
	var all []*leg
	for _, l := range legs {
		for _, x := range t.around(l) {
			if !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	for _, l := range all {
		if l.local() && l.open() {
			t.handOn(l, t.behind(l))
		}
	}
	t.merge(all, at)
	for _, l := range all {
		t.weigh(l, at, left, moved)
	}
}

// merge makes those who speak with each other one call, the oldest: Asterisk
// gives its Linkedid only to those in the same bridge.
func (t *talks) merge(all []*leg, at time.Time) {
	for _, l := range all {
		for _, o := range t.parties(l) {
			if older(o.call.ID, l.call.ID) && !o.call.Login && !l.call.Login {
				t.transfer(l, o.call, at)
			}
		}
	}
}

// weigh begins the segment of a leg that is an agent's and hears somebody, or
// notes since when it hears nobody any more. What happens to a segment then is
// not sure before the leg hangs up: an agent who consults comes back.
func (t *talks) weigh(l *leg, at time.Time, left *leg, moved bool) {
	others := t.parties(l)
	if len(others) > 0 && !l.local() {
		t.met(l, others)
	}
	if !l.open() && (len(others) == 0 || !t.agent(l)) {
		return
	}
	begins := !l.open()
	s := t.mark(l)
	if len(others) > 0 && s.Claim == "" {
		t.postpone(l, others, begins)
	}
	switch {
	case len(others) > 0:
		s.Alone, s.Left, s.By = time.Time{}, "", ""
		for _, o := range others {
			if !slices.Contains(s.Peers, o.ID) {
				s.Peers = append(s.Peers, o.ID)
			}
		}
		if s.Start.IsZero() && !s.Unsure {
			s.Start = at
		}
		t.hear(l)
		if !l.local() {
			t.connect(l)
		}
	case s.Start.IsZero() && !s.Unsure: // it did not begin
	case s.Alone.IsZero() && !t.expects(l):
		s.Alone, s.By = at, t.hungUp(l)
		if left != nil {
			s.Left, s.LeftMoved = left.ID, moved
		}
	case left == nil && t.expects(l):
		s.Alone = time.Time{} // it consults
	}
}

// met notes that two speak.
func (t *talks) met(l *leg, others []*leg) {
	for _, o := range others {
		l.call.Connected, o.call.Connected = true, true
		t.reaches(l.call, o)
	}
}

// postpone withholds a segment that begins as a consultation: one of the two
// has somebody waiting. When another one joins them, the call was passed on, and
// the segment begins then.
func (t *talks) postpone(l *leg, others []*leg, begins bool) {
	s := l.Segment
	waits := ""
	if len(others) == 1 {
		waits = cmp.Or(t.awaited(others[0], l), t.awaited(l, others[0]))
	}
	switch {
	case begins:
		s.Deferred = waits
	case s.Deferred != "" && waits == "":
		s.Deferred = ""
		if slices.ContainsFunc(others, func(o *leg) bool { return !slices.Contains(s.Peers, o.ID) }) {
			s.Start, s.Peers = time.Time{}, nil
		}
	}
}

// awaited returns the call in which somebody else waits for the one on the leg:
// in a segment of the leg, or of another line of the phone that called out. It
// is empty when nobody does.
func (t *talks) awaited(l, other *leg) string {
	for _, x := range t.legs {
		if !x.open() || x.Segment.Deferred != "" || x != l && (l.Dial != nil || x.device() != l.device()) {
			continue
		}
		if slices.ContainsFunc(x.Segment.Peers, func(id string) bool {
			p := t.legs[id]
			return p != nil && !p.Gone && p != other && !slices.Contains(t.around(l), p)
		}) {
			return t.callFor(x).ID
		}
	}
	return ""
}

// mark returns the segment of a leg, made if there is none that goes on.
func (t *talks) mark(l *leg) *segment {
	if l.open() {
		return l.Segment
	}
	l.archive()
	id := l.ID
	if l.Segments++; l.Segments > 1 {
		id = fmt.Sprintf("%s-%d", l.ID, l.Segments)
	}
	s := &segment{Segment: source.Segment{ID: id, Agent: l.device(), Device: l.device(), Username: t.nameOf(l)}, Unsure: l.Unsure}
	l.Segment, l.Unsure = s, false
	return s
}

// archive keeps a segment that is done apart from the leg's next one.
func (l *leg) archive() {
	if l.Segment != nil {
		l.Past = append(l.Past, l.Segment)
		l.Segment = nil
	}
}

// handOn gives the segment of a Local channel to the phone that it stands for.
func (t *talks) handOn(l, phone *leg) {
	switch {
	case phone == nil, phone.Gone:
		return
	case phone.open() && phone.Segment.Queue != "":
		return // of another queue: two in one phone stay two
	case phone.open(): // it was seen to speak before the queue said so
		s, own := l.Segment, phone.Segment
		own.Queue, own.Agent, own.Username, own.Claim = s.Queue, s.Agent, s.Username, s.Claim
		l.Segment = nil
		return
	}
	from := l.call
	phone.archive()
	phone.Segment, l.Segment = l.Segment, nil
	s := phone.Segment
	if !phone.local() {
		s.Device = phone.device()
		t.pickedUp(s, phone)
	}
	if phone.call != from && s.Call == "" {
		s.Call = from.ID
	}
}

// connect raises agent_connect once, when the agent hears somebody.
func (t *talks) connect(l *leg) {
	s, c := l.Segment, t.callFor(l)
	if s.Connected || s.Unsure || s.Deferred != "" {
		return
	}
	s.Connected = true
	if t.Wants(s.Queue, &c.Call) {
		t.Segment("agent_connect", &c.Call, &s.Segment, s.Start)
	}
}

// finish raises the end of a segment: agent_termination, and
// transfer_termination after it when the agent passed the call on. One that
// never heard anybody was no segment.
func (t *talks) finish(l *leg, at time.Time) {
	s, c := l.Segment, t.callFor(l)
	if s.Done {
		return
	}
	// A consultation is no segment of the call that waits, nor one when the call
	// was passed on with it.
	consulted := s.Deferred != "" && (s.Transferred || s.Deferred == c.ID)
	if s.Start.IsZero() && !s.Unsure || consulted {
		s.Done = true
		return
	}
	s.Deferred = ""
	t.connect(l)
	if s.End = s.Alone; s.End.IsZero() {
		s.End = at
	}
	if !s.End.IsZero() {
		l.unhold(s.End)
	}
	s.Reason = t.reason(l)
	t.gather(l)
	s.Done = true
	if !t.Wants(s.Queue, &c.Call) {
		return
	}
	t.Segment("agent_termination", &c.Call, &s.Segment, s.End)
	if s.Transferred {
		t.passedOn(c, s)
	}
}

// reason says who ended the segment: as AgentComplete has it if that came in
// time, else from what was seen of the legs.
func (t *talks) reason(l *leg) string {
	s := l.Segment
	switch {
	case s.Transferred:
		return source.ByTransfer
	case s.Reason != "" && s.End.Sub(s.Told) < prompt: // else it went on with somebody else
		return s.Reason
	case s.By != "":
		return s.By
	case s.Left == l.ID:
		return source.ByAgent
	case t.hungUp(l) != "":
		return t.hungUp(l)
	case s.LeftMoved:
		return source.ByTransfer
	case s.Left != "":
		return source.ByCaller
	}
	return ""
}

// hungUp is who has asked for the hangup of a segment; empty: nobody.
func (t *talks) hungUp(l *leg) string {
	asked := func(id string) bool { p := t.legs[id]; return p != nil && p.Hung }
	switch {
	case l.Hung:
		return source.ByAgent
	case slices.ContainsFunc(l.Segment.Peers, asked):
		return source.ByCaller
	}
	return ""
}

// transferred notes that the agent on a leg passed the call on. Its
// transfer_termination follows the end of the segment; when that came first,
// it comes now.
func (t *talks) transferred(l *leg) {
	if l != nil && l.local() && l.Segment == nil {
		l = t.behind(l)
	}
	if l == nil || l.Segment == nil {
		return
	}
	s, c := l.Segment, t.callFor(l)
	s.Transferred = true
	if s.Done && (s.Unsure || !s.End.IsZero()) && t.Wants(s.Queue, &c.Call) {
		s.Reason = source.ByTransfer
		t.passedOn(c, s)
	}
}

func (t *talks) passedOn(c *call, s *segment) {
	if !s.TransferRaised {
		s.TransferRaised = true
		t.Segment("transfer_termination", &c.Call, &s.Segment, s.End)
	}
}

// taped takes a recording of a leg into the segments in which it is heard.
func (t *talks) taped(l *leg, at time.Time) {
	if l.Bridge != "" || l.local() {
		t.settle(at, l, false, l)
	}
}

// pickedUp makes a segment that of who picked the call up, as the queue names
// him if it does. A leg that began a call of its own did so.
func (t *talks) pickedUp(s *segment, l *leg) {
	if l == nil || s.Claim == "" || s.Called != "" || l.local() || !l.Picked && (l.ID != l.call.ID || l.call.Login) {
		return
	}
	s.Called = s.Agent
	s.Agent, s.Username = l.device(), t.nameOf(l)
	for _, o := range t.phones.members {
		if o.Queue == s.Queue && o.device == l.device() {
			s.Agent, s.Username = o.Agent, o.Username
		}
	}
}
