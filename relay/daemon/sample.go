package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callrelay/config"
	"callrelay/relay/call"
)

// sampleEvent is a relay_test with an example value for each tag that producers
// give. Each has an id of its own.
func sampleEvent(now time.Time) ([]byte, error) {
	members := map[string]any{}
	for _, tag := range call.Vocabulary() {
		if producerGives(tag.Name) {
			members[tag.Name] = exampleOf(tag)
		}
	}
	members["event"] = "relay_test"
	members["id"] = fmt.Sprintf("relay_test/%d", now.UnixNano())
	return json.Marshal(members)
}

// producerGives tells the tags of an event's own from those that the relay adds
// and from the scopes that the sample event does not have.
func producerGives(tag string) bool {
	switch tag {
	case "event_id", "attempt", "now", "scope", "source",
		"campaign", "route", "number", "ivr", "chat_queue", "account",
		"recording", "agent_perspective_recording", "recording_start", "recording_end",
		"recording_url", "sess_agent_perspective_recording_url", "recording_state",
		"recording_bytes", "recording_seconds", "recording_channels", "recording_sha256":
		return false
	}
	return true
}

func exampleOf(tag call.Tag) any {
	switch tag.Type {
	case "integer", "number", "seconds", "object", "bool":
		return json.RawMessage(tag.Example)
	default:
		return tag.Example
	}
}

// DecodeEvent reads an event given to a command, one for each segment. Without
// one it makes a sample.
func DecodeEvent(c *config.Config, event []byte) ([]call.Event, error) {
	if len(event) == 0 {
		sample, err := sampleEvent(time.Now())
		if err != nil {
			return nil, err
		}
		event = sample
	}
	events, err := call.Decode(event, call.Options{MaxEvent: c.Intake.MaxEvent, Zone: c.Intake.Timezone})
	if err == nil && len(events) == 0 {
		err = errors.New("event has no segment")
	}
	return events, err
}
