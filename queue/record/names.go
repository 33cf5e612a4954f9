package record

import "strings"

// The streams.
const (
	Events   = "EVENTS"   // one record per delivery owed
	Retry    = "RETRY"    // deliveries that wait for a later attempt
	Dead     = "DEAD"     // deliveries given up
	Attempts = "ATTEMPTS" // what was tried, for people
	Debug    = "DEBUG"    // transcripts
	Leases   = "LEASE"    // which relay of a site is its keeper
)

// ServiceOf is the second token of a subject.
func ServiceOf(subject string) string {
	_, rest, _ := strings.Cut(subject, ".")
	service, _, _ := strings.Cut(rest, ".")
	return service
}

// Order is the way of a delivery through the streams. Who reads them in
// this order misses none that moves on meanwhile.
var Order = [...]string{Events, Retry, Dead, Attempts, Debug}

// Stored is a record as it lies in a stream.
type Stored struct {
	Stream string // EVENTS, RETRY, DEAD, ATTEMPTS or DEBUG
	Record        // of ATTEMPTS and DEBUG its Service and Body alone
}
