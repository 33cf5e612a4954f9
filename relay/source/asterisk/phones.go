package asterisk

import (
	"path"
	"slices"
	"strings"
)

// accounts are the technologies whose devices are named after accounts, so
// that a name of digits is an extension and no line.
var accounts = []string{"PJSIP", "SIP", "IAX2", "SCCP", "Skinny", "MGCP"}

// phones knows which devices are agents' phones, and whose they are.
type phones struct {
	patterns []string // only these; empty: names of digits, and members of queues
	members  map[member]offer
	devices  map[string]string // of members, and their names
}

// member is who answers for a queue, as the queue names it.
type member struct{ queue, agent string }

func newPhones(patterns []string) phones {
	return phones{patterns: patterns, members: map[member]offer{}, devices: map[string]string{}}
}

// learn takes a member of a queue; state is the device that shows whether it
// is in use.
func (p phones) learn(queue, agent, state, name string) {
	if queue == "" || agent == "" {
		return
	}
	o := offer{Queue: queue, Agent: agent, Username: name}
	for _, device := range []string{agent, state} {
		tech, rest, ok := strings.Cut(device, "/")
		if ok && tech != "Local" && rest != "" && !strings.Contains(tech, ":") {
			p.devices[device], o.device = name, device
		}
	}
	p.members[member{queue, agent}] = o
}

// is reports whether a device is an agent's phone.
func (p phones) is(device string) bool {
	tech, name, _ := strings.Cut(device, "/")
	if len(p.patterns) > 0 {
		return slices.ContainsFunc(p.patterns, func(pattern string) bool {
			whole, _ := path.Match(pattern, device)
			short, _ := path.Match(pattern, name)
			return whole || short
		})
	}
	if _, ok := p.devices[device]; ok {
		return true
	}
	return name != "" && strings.Trim(name, "0123456789") == "" && slices.Contains(accounts, tech)
}

// of returns for whom a channel is called, whatever the options of a Local one,
// as /n: members of a queue, or of all when it is empty.
func (p phones) of(queue, channel string) []offer {
	if o, ok := p.members[member{queue, channel}]; ok {
		return []offer{o}
	}
	var found []offer
	for _, o := range p.members {
		if (queue == "" || o.Queue == queue) && plain(o.Agent) == plain(channel) {
			found = append(found, o)
		}
	}
	return found
}

// plain is a member's interface without the options of a Local channel.
func plain(agent string) string {
	if !strings.HasPrefix(agent, "Local/") {
		return agent
	}
	if i := strings.LastIndex(agent, "/"); i > len("Local") {
		return agent[:i]
	}
	return agent
}
