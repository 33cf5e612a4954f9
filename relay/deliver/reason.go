package deliver

import "callrelay/queue"

// The reasons of dead letters.
const (
	ReasonRejected = "rejected"
	ReasonExpired  = "expired"
	ReasonRender   = "render"
	ReasonOverflow = queue.ReasonOverflow // the queue gives this one itself
	ReasonRemoved  = "removed"
)

// A Reason is why a delivery was given up.
type Reason struct{ Name, Text string }

// reasons are all there are: whoever lists them asks here.
var reasons = []Reason{
	{ReasonRejected, "the endpoint refused the payload"},
	{ReasonExpired, "max_age has passed"},
	{ReasonRender, "the event cannot be written as the service wants it"},
	{ReasonOverflow, "the queue was nearly full"},
	{ReasonRemoved, "the operator dropped what waited for a removed service"},
}

// Reasons returns the names of the reasons.
func Reasons() []string {
	names := make([]string, len(reasons))
	for i, r := range reasons {
		names[i] = r.Name
	}
	return names
}

// Why returns what a reason means; empty for none of [Reasons].
func Why(reason string) string {
	for _, r := range reasons {
		if r.Name == reason {
			return r.Text
		}
	}
	return ""
}
