package call

// Tag is one entry of the vocabulary.
type Tag struct {
	Name    string
	Type    string // text, integer, number, seconds, time, url, bool or object
	Example string
	Text    string
}

// Vocabulary returns the tags with a meaning of their own. Any other member of
// an event is a tag too.
func Vocabulary() []Tag {
	return []Tag{
		{"event", "text", "agent_termination", "name of the event"},
		{"event_id", "text", "20200422…01/agent_termination/1/9f86d081884c7d65", "id of the event, the same in every attempt"},
		{"segment_id", "text", "1", "the agent's part of the call"},
		{"attempt", "integer", "1", "number of this attempt, from 1"},
		{"now", "time", "2020-04-22 00:03:09.0000", "time of this attempt"},
		{"source", "text", "pbx1", "the collector that the event comes from"},

		{"scope", "text", "support", "what the event happened at: the value of the one member below that it has"},
		{"queue", "text", "support", "queue of the event"},
		{"campaign", "text", "spring", "campaign of the event"},
		{"route", "text", "main", "cloud route of the event"},
		{"number", "text", "+15559870002", "tracked number of the event"},
		{"ivr", "text", "menu", "IVR of the event"},
		{"chat_queue", "text", "web", "chat queue of the event"},
		{"account", "text", "15300002", "account of the event"},

		{"uii", "text", "202004220000000000000000000001", "id of the whole call"},
		{"account_id", "text", "15300002", "id of the account"},
		{"ani", "text", "+15551230001", "number of the caller"},
		{"ani_last4", "text", "0001", "last four digits of ani; derived when absent"},
		{"ani_npa", "text", "555", "area code of ani, of a North American number; derived when absent"},
		{"ani_nxx", "text", "123", "exchange of ani, of a North American number; derived when absent"},
		{"dnis", "text", "+15559870002", "number that was called"},
		{"call_start", "time", "2020-04-22 00:00:00.0000", "start of the call"},
		{"call_end", "time", "2020-04-22 00:03:05.0000", "end of the call"},
		{"call_result", "text", "Connected", "Connected, Abandoned, Deflected or Unknown"},
		{"duration", "seconds", "185", "length of the call"},
		{"term_party", "text", "CALLER", "who ended the call"},
		{"term_reason", "text", "HANGUP", "why the call ended"},

		{"agent_id", "integer", "1401", "id of the agent"},
		{"agent_username", "text", "ann@example.com", "login of the agent"},
		{"agent_externid", "text", "E-1401", "the agent's id in another system"},
		{"agent_phone", "text", "+15550100", "telephone of the agent"},
		{"agent_location", "text", "Leeds", "location of the agent"},
		{"agent_team", "text", "gold", "team of the agent"},
		{"agent_duration", "seconds", "166", "time connected to the agent"},
		{"agent_wait_time", "seconds", "31", "from the agent's last disposition to this call"},
		{"agent_wrap_time", "seconds", "12", "from the end of the call to the disposition"},
		{"agent_disposition", "text", "SALE", "outcome that the agent chose"},
		{"agent_notes", "text", "wants a call back", "notes of the agent"},

		{"enqueue_time", "time", "2020-04-22 00:00:04.0000", "when the call entered the queue"},
		{"dequeue_time", "time", "2020-04-22 00:00:19.0000", "when the call left the queue"},
		{"queue_duration", "seconds", "15", "time in the queue"},
		{"gate_id", "integer", "42", "id of the queue"},
		{"gate_name", "text", "support", "name of the queue; derived when absent"},
		{"sess_start", "time", "2020-04-22 00:00:19.0000", "start of the session"},
		{"sess_end", "time", "2020-04-22 00:03:05.0000", "end of the session"},
		{"sess_duration", "seconds", "166", "length of the session"},
		{"segment_start", "time", "2020-04-22 00:00:19.0000", "start of the segment"},
		{"segment_end", "time", "2020-04-22 00:03:05.0000", "end of the segment"},

		{"campaign_id", "integer", "7", "id of the campaign"},
		{"campaign_name", "text", "Spring", "name of the campaign"},
		{"lead_id", "integer", "90210", "id of the lead"},
		{"outbound_disposition", "text", "ANSWER", "result of the dialler"},

		{"script", "object", `{"consent":"yes"}`, "answers of the agent's script; its members are #script.consent# and so on"},
		{"recording", "text", "20200422-1.wav", "path of the recording below recordings.dir"},
		{"agent_perspective_recording", "text", "20200422-1-dual.wav", "path of the dual-channel recording"},
		{"recording_start", "number", "12.5", "where the segment begins in its recording, in seconds"},
		{"recording_end", "number", "178.2", "where the segment ends in its recording, in seconds"},
		{"recording_url", "url", "https://pbx.example.com/recordings/20200422-1.wav?exp=…", "link to the recording, made for each attempt"},
		{"sess_agent_perspective_recording_url", "url", "https://pbx.example.com/recordings/20200422-1-dual.wav?exp=…", "link to the dual-channel recording, made for each attempt"},
		{"recording_state", "text", "ready", "ready, missing, unreadable or none"},
		{"recording_bytes", "integer", "2958124", "size of the recording"},
		{"recording_seconds", "number", "184.88", "length of the recording"},
		{"recording_channels", "integer", "1", "channels of the recording"},
		{"recording_sha256", "text", "9f86d081…", "SHA-256 of the recording, in hexadecimal digits"},
	}
}
