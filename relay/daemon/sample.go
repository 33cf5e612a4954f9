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
		if producerGives(tag) {
			members[tag.Name] = exampleOf(tag)
		}
	}
	members["event"] = call.Test
	members["id"] = fmt.Sprintf("%s/%d", call.Test, now.UnixNano())
	return json.Marshal(members)
}

// producerGives distinguishes the tags of a call's event from those that the relay adds,
// from recordings and from the scopes that the sample event does not have.
func producerGives(tag call.Tag) bool {
	switch {
	case tag.Given == call.ByRelay, tag.Group == "recording", tag.Name == "source":
		return false
	case tag.Group == "ring", tag.Name == "queue_result":
		return false // of a call that was not answered
	}
	return !tag.Scope || tag.Name == "queue"
}

func exampleOf(tag call.Tag) any {
	switch tag.Type {
	case "integer", "number", "seconds", "object", "array", "bool":
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
