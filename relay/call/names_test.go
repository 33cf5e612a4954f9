package call

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	for _, test := range []struct{ word, want string }{
		{"agent_terminaton", "agent_termination"},
		{"agnet_connect", "agent_connect"},
		{"postcall", "post_call"},
		{"call_started", "call_start"},
		{"call_start", "call_start"},
		{"invoice_paid", ""},
		{"", ""},
	} {
		if got := Nearest(test.word, Names); got != test.want {
			t.Errorf("Nearest(%q) = %q, want %q", test.word, got, test.want)
		}
	}
}

func TestKnownEvent(t *testing.T) {
	if !KnownEvent("relay_test") || KnownEvent("relay") {
		t.Error("KnownEvent does not tell known from unknown")
	}
}

func TestOwnVocabularyIsDescribed(t *testing.T) {
	for _, tag := range OwnVocabulary() {
		if tag.Name == "" || tag.Type == "" || tag.Example == "" || tag.Text == "" {
			t.Errorf("tag %+v is not described", tag)
		}
	}
}

func TestVocabularyIsComplete(t *testing.T) {
	const promised = `event event_id segment_id scope queue campaign route number ivr chat_queue attempt now recording_url
		sess_agent_perspective_recording_url recording_state recording_bytes recording_seconds recording_channels recording_sha256
		uii agent_id agent_username agent_externid agent_phone agent_location agent_team agent_duration agent_wait_time agent_wrap_time
		agent_disposition agent_notes ani ani_last4 ani_npa ani_nxx dnis call_start call_result duration enqueue_time dequeue_time
		queue_duration sess_duration gate_id gate_name outbound_disposition campaign_id campaign_name lead_id term_party
		term_reason source`
	types := []string{"text", "integer", "number", "seconds", "time", "url", "object"}
	name := regexp.MustCompile(`^[a-z0-9_]+$`)
	seen := map[string]bool{}
	for _, tag := range Vocabulary() {
		if seen[tag.Name] || !name.MatchString(tag.Name) {
			t.Errorf("tag %q is there twice or has a bad name", tag.Name)
		}
		seen[tag.Name] = true
		if !slices.Contains(types, tag.Type) || tag.Example == "" || tag.Text == "" {
			t.Errorf("tag %+v is not described", tag)
		}
	}
	for want := range strings.FieldsSeq(promised) {
		if !seen[want] {
			t.Errorf("tag %q is missing", want)
		}
	}
	for _, kind := range ScopeKinds {
		if !seen[kind] {
			t.Errorf("scope %q is no tag", kind)
		}
	}
}
