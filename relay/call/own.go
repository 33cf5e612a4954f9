package call

// OwnVocabulary returns the tags that the relay's own events bring, each of them
// those that apply to it.
func OwnVocabulary() []Tag {
	return []Tag{
		{"at", "time", "2020-04-22T00:03:09Z", "when it happened"},
		{"host", "text", "pbx1.example.com", "the machine that the relay runs on"},
		{"service", "text", "crm", "the service that it happened to; of a breaker, the first of those that share it"},
		{"services", "object", `["crm","crm-backup"]`, "all services that share the breaker"},
		{"endpoint", "text", "crm.example.com", "host of the endpoint"},
		{"reason", "text", "rejected", "why a delivery was given up, or why a source heard nothing"},
		{"status", "integer", "422", "status of the last answer"},
		{"error", "text", "status 422: no such agent", "what went wrong, in few words"},
		{"count", "integer", "1", "how often it happened since it was told last"},
		{"delivery", "text", "20200422…01/agent_termination/1/9f86d081884c7d65", "id of the event that was given up, the last of them"},
		{"bytes", "integer", "5153960756", "what the queue holds"},
		{"max_bytes", "integer", "6442450944", "what it may hold"},
		{"config", "text", "/etc/relay/relay.toml", "the configuration that was refused"},
		{"problems", "integer", "2", "how many problems it has"},
		{"problem", "text", `relay.toml:41: binding 2: service "crm2" is not defined`, "the first of them"},
		{"from", "time", "2020-04-22T00:00:00Z", "since when a source heard nothing"},
		{"to", "time", "2020-04-22T00:03:09Z", "until when"},
	}
}
