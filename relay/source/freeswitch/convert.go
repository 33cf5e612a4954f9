package freeswitch

import (
	"cmp"
	"path/filepath"
	"time"

	"callrelay/relay/source"
)

// Converter turns documents into events, by the rules that the event socket's
// are turned by: a document gives a leg, its call and its segment, and these
// are reported. Its zero value works. It is safe for concurrent use.
type Converter struct {
	// Source gives the name that ids begin with, and the tag source, of the
	// FreeSWITCH that calls itself switchname, and its own name for the folder
	// of recordings. Nil, or empty: the switchname, and Recordings.
	Source func(switchname string) (name, recordings string)

	// Recordings is the folder of recordings as FreeSWITCH names it. A file
	// elsewhere is left out; so are all when it is empty.
	Recordings string

	// Outside is called with each recording that is left out. Nil: nothing is.
	Outside func(file string)
}

// Convert returns the events of one document, none when the leg is neither a
// caller's nor an agent's who was in conversation.
func (c Converter) Convert(body []byte) ([]source.Event, error) {
	d, err := parse(body)
	if err != nil {
		return nil, err
	}
	name := cmp.Or(string(d.Switch), "freeswitch")
	if c.Source != nil {
		other, recordings := c.Source(string(d.Switch))
		name, c.Recordings = cmp.Or(other, name), cmp.Or(recordings, c.Recordings)
	}
	r := &reporter{Reporter: source.Reporter{Source: name}, files: c, names: map[string]string{}}
	switch side := d.side(); {
	case d.variable("is_loopback") != "" || loopback(d.variable("channel_name")):
	case side == "member":
		r.callersLeg(callersLeg{d})
	case side == "agent" && (d.variable("cc_agent_type") == "uuid-standby" || d.variable("direction") == "inbound"):
		// One document for all the calls of a shift does not say when any of them ended.
	case side == "agent" || d.answered():
		r.agentsLeg(agentsLeg{d})
	case !d.called():
		r.callersLeg(callersLeg{d})
	}
	return r.Raised(), nil
}

// agentsLeg reports a segment, unless agent and caller never heard each other.
func (r *reporter) agentsLeg(d agentsLeg) {
	c := &call{Call: source.Call{ID: d.call(), Wanted: true}}
	c.ANI, c.DNIS, c.Direction = d.caller(c.ID)
	if joined := seconds(d.variable("cc_queue_joined_epoch")); !joined.IsZero() {
		// Cut to the second, it would lie before the call. It was before the phone rang.
		c.Visit = &stay{Joined: source.Earlier(joined.Add(time.Second-time.Microsecond), source.Later(d.start(), joined))}
	}
	r.talked(c, d.document, d.device(), d.variable("relay_agent", "cc_agent"), segment{Queue: queueName(d.variable("cc_queue")), Start: d.talks(), Held: d.held()})
}

// talked reports the segment that a document is of.
func (r *reporter) talked(c *call, d *document, device, agent string, s segment) {
	if s.Start.IsZero() {
		return
	}
	s.Agent, s.End = agent, d.end()
	l := &leg{ID: d.uuid(), Device: device, Hung: s.End, Segment: &s}
	if f := d.recorded(); f != nil {
		if f.Name = r.files.below(f.Name); f.Name != "" {
			f.Start = cmp.Or(f.Start, s.Start)
			l.Files = []*file{f}
		}
	}
	r.names[device] = d.variable("relay_agent_username", "effective_caller_id_name")
	r.segment("agent_termination", c, l, nil, endReason(func(name string) string { return d.variable(name) }))
}

// callersLeg reports a call: what its queues said of it, and its end.
func (r *reporter) callersLeg(d callersLeg) {
	first := d.first()
	c := &call{Call: source.Call{
		ID: d.uuid(), Start: d.start(), ANI: string(first.CallerID), DNIS: string(first.Dialled), Direction: d.direction(), Wanted: true, Rang: d.rang(),
	}, End: d.end(), Talked: d.talked()}
	c.Cause = cmp.Or(d.variable("originate_failed_cause", "last_bridge_hangup_cause"), d.variable("hangup_cause"))
	c.Doubt = conferred(func(name string) string { return d.variable(name) })
	c.Recording = r.files.below(d.variable("relay_recording", "cc_record_filename"))
	for i, v := range d.visits() {
		v.N = i + 1
		c.Visit = &stay{N: v.N, Queue: v.Queue, Joined: v.Joined}
		r.queued(c, "queue_enter", "", v.Joined)
		if c.Visit = &v; !v.Answered {
			r.queued(c, "queue_abandon", v.Result, v.Left)
		}
	}
	if c.Direction == source.Outbound && c.result() == source.Connected { // the leg is the agent's, too
		r.talked(c, d.document, d.phone(), d.variable("relay_agent"), segment{Start: d.stamp("bridge_uepoch", "bridged_time")})
	}
	r.ended(c)
}

// below is the path of a file below the folder of recordings, which may be
// spelled in two ways: through a symbolic link, too.
func (c Converter) below(file string) string {
	if file == "" {
		return ""
	}
	if rel := source.Below(c.Recordings, file); rel != "" {
		return rel
	}
	folder, err := filepath.EvalSymlinks(c.Recordings)
	if parent, other := filepath.EvalSymlinks(filepath.Dir(file)); err == nil && other == nil && c.Recordings != "" {
		if rel := source.Below(folder, filepath.Join(parent, filepath.Base(file))); rel != "" {
			return rel
		}
	}
	if c.Outside != nil && c.Recordings != "" {
		c.Outside(file)
	}
	return ""
}
