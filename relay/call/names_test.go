package call

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promised are the names that users rely on, by the property that each has.
var promised = map[string]string{
	"tag": `event event_id segment_id scope queue campaign route number ivr chat_queue attempt now recording_url
		sess_agent_perspective_recording_url recording_state recording_bytes recording_seconds recording_channels recording_sha256
		recording_name recording_type recording_file recording_base64 sess_agent_perspective_recording_file recording_start recording_end
		recordings recording agent_perspective_recording script
		uii agent_id agent_username agent_externid agent_phone agent_location agent_team agent_duration agent_wait_time agent_wrap_time
		agent_disposition agent_notes ani ani_last4 ani_npa ani_nxx dnis call_start call_end call_result duration enqueue_time dequeue_time
		queue_duration sess_start sess_end sess_duration gate_id gate_name outbound_disposition campaign_id campaign_name lead_id term_party
		term_reason source account account_id segment_start segment_end
		direction ring_result ring_duration rang agent_device hold_duration queue_result`,
	"scope": "queue campaign route number ivr chat_queue account",
	"reserved": `event_id attempt now scope recording_state recording_bytes recording_seconds recording_channels
		recording_sha256`,
	"time":  "now call_start call_end enqueue_time dequeue_time segment_start segment_end sess_start sess_end",
	"zoned": "call_start call_end enqueue_time dequeue_time segment_start segment_end sess_start sess_end",
	"recording": `recording_url recording_state recording_bytes recording_seconds recording_channels recording_sha256
		recording_name recording_type recording_file recording_base64`,
	"agent recording": "sess_agent_perspective_recording_url sess_agent_perspective_recording_file",
	"per attempt": `attempt now recording_url sess_agent_perspective_recording_url recording_state recording_bytes recording_seconds
		recording_channels recording_sha256 recording_name recording_type recording_file recording_base64
		sess_agent_perspective_recording_file`,
	"derived": "ani_last4 ani_npa ani_nxx gate_name",
	"event": `dequeue agent_connect agent_termination post_call post_disposition transfer_termination disposition call_start
		call_connect call_end queue_event ivr_digit new_chat post_chat agent_login agent_logout agent_state queue_enter queue_abandon
		agent_ring agent_ring_end call_missed recording_available recording_failed relay_test relay_breaker_opened relay_breaker_closed
		relay_config_rejected relay_dead_letter relay_gap relay_queue_high relay_service_state relay_stalled`,
	"raised": `relay_breaker_closed relay_breaker_opened relay_config_rejected relay_dead_letter relay_gap relay_queue_high
		relay_service_state relay_stalled relay_test`,
	"operational time": `at`,
	"operational tag": `at host count service services endpoint reason state waiting status error delivery bytes max_bytes config problems problem
		from to segments_ended segments_found segments_missing abandons_missing events_dropped channels_compared`,
}

// TestVocabularyKeepsItsPromises finds an entry that was dropped, or lost a
// property, wherever it is asked for. A new tag may be missing here; one of
// these may not be missing there.
func TestVocabularyKeepsItsPromises(t *testing.T) {
	has := map[string][]string{
		"tag": namesOf(Vocabulary()), "scope": ScopeKinds(), "time": TimeTags(),
		"recording": FileTags(Recording), "agent recording": FileTags(AgentRecording), "per attempt": MadePerAttempt(),
		"reserved": names(func(t Tag) bool { return t.Reserved }), "zoned": names(func(t Tag) bool { return t.Type == "time" && t.check != nil }),
		"derived": names(func(t Tag) bool { return t.derive != nil }),
		"event":   KnownEvents(), "raised": Raised(), "operational tag": namesOf(OperationalVocabulary()),
	}
	for _, tag := range OperationalVocabulary() {
		if tag.Type == "time" {
			has["operational time"] = append(has["operational time"], tag.Name)
		}
	}
	for property, list := range promised {
		for want := range strings.FieldsSeq(list) {
			if !slices.Contains(has[property], want) {
				t.Errorf("%s is no %s", want, property)
			}
		}
	}
	for _, property := range []string{"scope", "reserved", "derived"} {
		if got, want := len(has[property]), len(strings.Fields(promised[property])); got != want {
			t.Errorf("%d names are %s, want %d", got, property, want)
		}
	}
}

func namesOf(tags []Tag) []string {
	list := make([]string, len(tags))
	for i, t := range tags {
		list[i] = t.Name
	}
	return list
}

func TestEveryTagIsDescribed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9_]+$`)
	for _, tags := range [][]Tag{Vocabulary(), OperationalVocabulary()} {
		seen := map[string]bool{}
		for _, tag := range tags {
			if seen[tag.Name] || !name.MatchString(tag.Name) {
				t.Errorf("tag %q is there twice or has a bad name", tag.Name)
			}
			seen[tag.Name] = true
			if !slices.Contains(Types, tag.Type) || tag.Group == "" || tag.Example == "" || tag.Text == "" {
				t.Errorf("tag %+v is not described", tag)
			}
		}
	}
}

// TestEveryEventIsDescribed finds an event with a group or tag that there is not.
func TestEveryEventIsDescribed(t *testing.T) {
	all := slices.Concat(Vocabulary(), OperationalVocabulary())
	for _, e := range EventNames() {
		if !validName(e.Name) || e.Text == "" || len(e.Vocabulary()) == 0 {
			t.Errorf("event %+v is not described", e)
		}
		for _, group := range e.Groups {
			if !slices.ContainsFunc(all, func(t Tag) bool { return t.Group == group }) {
				t.Errorf("event %s has the tags of %q, of which there is none", e.Name, group)
			}
		}
		for _, name := range e.Tags {
			if !slices.ContainsFunc(all, func(t Tag) bool { return t.Name == name }) {
				t.Errorf("event %s has the tag %q, which there is not", e.Name, name)
			}
		}
		if Operational(e.Name) != (e.Groups == nil) {
			t.Errorf("event %s is neither a call's nor an operational one", e.Name)
		}
	}
}

func TestOperational(t *testing.T) {
	for name, want := range map[string]bool{"relay_gap": true, "relay_new": true, Test: false, "relay": false, "call_end": false} {
		if Operational(name) != want {
			t.Errorf("Operational(%s) = %v", name, !want)
		}
	}
}
