package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// server is what a FreeSWITCH knows beside its events: the channels that are
// alive, how many it has made, and how many calls each agent has answered. It
// tells whoever asks.
type server struct {
	mu       sync.Mutex
	starts   int                          // how often it was started again
	alive    map[string]map[string]string // by uuid: what is known of each
	numbers  map[string]int               // of the channels since its start
	gone     map[string]bool              // with the server that was restarted
	answered map[string]int               // by agent
	types    map[string]string            // of agents
	wanted   map[string]bool              // events that the client subscribed to
}

func newServer() *server {
	return &server{alive: map[string]map[string]string{}, numbers: map[string]int{}, gone: map[string]bool{}, answered: map[string]int{}, types: map[string]string{}}
}

// core is what identifies it since its start.
func (s *server) core() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.starts) }

// subscribe takes a command "event plain ...".
func (s *server) subscribe(command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = map[string]bool{}
	for name := range strings.FieldsSeq(command) {
		s.wanted[name] = true
	}
}

// halt ends all channels without a word.
func (s *server) halt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.alive {
		s.gone[id] = true
	}
	clear(s.alive)
	for agent := range s.answered {
		s.answered[agent] = 0
	}
	clear(s.numbers)
	s.starts++
}

var (
	cores    = regexp.MustCompile(`(?m)^Core-UUID: .*$`)
	sessions = regexp.MustCompile(`(?m)^variable_session_id: .*$`)
)

// employ makes the agents of a transcript known.
func (s *server) employ(events [][]byte) {
	for _, e := range events {
		if agent := unescaped(field(e, "CC-Agent")); agent != "" {
			s.answered[agent], s.types[agent] = 0, cmp.Or(field(e, "CC-Agent-Type"), s.types[agent])
		}
	}
}

// happens takes an event and returns it as this server says it. It reports
// whether the client is to hear of it.
func (s *server) happens(body []byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, id := field(body, "Event-Name"), field(body, "Unique-ID")
	for _, name := range []string{"Unique-ID", "CC-Member-Session-UUID", "Bridge-A-Unique-ID", "Other-Leg-Unique-ID", "variable_cc_member_session_uuid"} {
		if s.gone[field(body, name)] {
			s.gone[id] = id != "" // nor does what its calls would have called
			return nil, false
		}
	}
	if id != "" && s.numbers[id] == 0 {
		s.numbers[id] = len(s.numbers) + 1
	}
	body = cores.ReplaceAll(body, []byte("Core-UUID: "+s.core()))
	body = sessions.ReplaceAll(body, fmt.Appendf(nil, "variable_session_id: %d", s.numbers[id]))
	switch {
	case field(body, "CC-Action") == "bridge-agent-start":
		s.answered[unescaped(field(body, "CC-Agent"))]++
	case name == "CHANNEL_HANGUP_COMPLETE", name == "CHANNEL_DESTROY":
		delete(s.alive, id)
	case name == "CHANNEL_CREATE", id != "" && s.alive[id] != nil:
		s.channel(id, name, body)
	}
	return body, s.wanted[name] || s.wanted[unescaped(field(body, "Event-Subclass"))]
}

// channel notes what an event says of a channel, and with whom it is bridged.
func (s *server) channel(id, name string, body []byte) {
	const bridge, since = "variable_bridge_uuid", "Caller-Channel-Bridged-Time"
	other, at := s.alive[id][bridge], s.alive[id][since]
	known := map[string]string{}
	for line := range bytes.Lines(body) {
		if key, value, ok := strings.Cut(strings.TrimSpace(string(line)), ": "); ok {
			known[key] = unescaped(value)
		}
	}
	s.alive[id] = known
	if known[bridge], known[since] = other, at; name == "CHANNEL_UNBRIDGE" || name == "CHANNEL_PARK" || name == "CHANNEL_HANGUP" {
		known[bridge] = ""
	}
	a, b := known["Bridge-A-Unique-ID"], known["Bridge-B-Unique-ID"]
	if name != "CHANNEL_BRIDGE" || s.alive[a] == nil || s.alive[b] == nil {
		return
	}
	s.alive[a][bridge], s.alive[b][bridge] = b, a
	s.alive[a][since], s.alive[b][since] = known["Event-Date-Timestamp"], known["Event-Date-Timestamp"]
}

// answer is that to a command.
func (s *server) answer(command string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	words := strings.Fields(command)
	switch {
	case strings.HasPrefix(command, "api show channels"):
		rows := []map[string]string{}
		for _, id := range slices.Sorted(maps.Keys(s.alive)) {
			rows = append(rows, map[string]string{"uuid": id})
		}
		return written(map[string]any{"row_count": len(rows), "rows": rows})
	case strings.HasPrefix(command, "api uuid_dump ") && s.alive[words[2]] != nil:
		return written(s.alive[words[2]])
	case command == "api global_getvar core_uuid":
		return s.core()
	case command == "api status":
		return fmt.Sprintf("UP 0 years, 0 days\nFreeSWITCH is ready\n%d session(s) since startup\n%d session(s) - peak 4, last 5min 4 \n", len(s.numbers), len(s.alive))
	case command == "api callcenter_config agent list":
		text := strings.Builder{}
		text.WriteString("name|type|calls_answered\n")
		for _, agent := range slices.Sorted(maps.Keys(s.answered)) {
			fmt.Fprintf(&text, "%s|%s|%d\n", agent, s.types[agent], s.answered[agent])
		}
		return text.String() + "+OK\n"
	}
	return "-ERR no such command\n"
}

func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "-ERR " + err.Error()
	}
	return string(text)
}

func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
