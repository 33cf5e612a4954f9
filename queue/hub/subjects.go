package hub

// What edges and their hub say to each other. The name of an edge is a token of
// all but the roll call, so that the hub can give each edge rights of its own.
const (
	answerPrefix = "relay.answer"   // what is asked from the hub is answered below it
	rollCall     = "relay.rollcall" // every edge answers with its report
)

// reportSubject is where an edge reports itself, from time to time.
func reportSubject(edge, id string) string { return "relay.edge." + edge + "." + id }

// apiSubject is what stands for $JS.API at the hub: the edge's JetStream domain.
func apiSubject(edge string) string { return "$JS." + edge + ".API" }

// copySubject begins the subjects that the hub's copies travel on.
func copySubject(edge string) string { return "relay.copy." + edge }

// copyStarts are what the subject begins with on which a copy may travel: that of
// the hub's own streams, and what JetStream takes by itself when an operator has
// another stream copy or mirror an edge.
func copyStarts(edge string) []string {
	return []string{copySubject(edge) + ".", "$JS.S.", "$JS.M."}
}

// replaySubject is where an edge is asked for the replay of dead letters.
func replaySubject(edge string) string { return "relay.ask." + edge + ".replay" }
