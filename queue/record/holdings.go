package record

import "time"

// Stats is what the queue holds.
type Stats struct {
	Bytes    int64 // of EVENTS and RETRY
	MaxBytes int64
	High     bool // above 80 % of MaxBytes
	Spooled  int  // of what waits: in the spool, while the cluster is away
	Services map[string]ServiceStats
}

// ServiceStats is what the queue holds for one service.
type ServiceStats struct {
	Waiting  int            // fresh ones, not in flight
	InFlight int            // handed out by Next
	Parked   int            // waiting for a later attempt
	Oldest   time.Time      // when the oldest of all these was accepted; zero: there is none
	Bytes    int64          // of all these, estimated
	Dead     map[string]int // dead letters by reason
	Stalled  bool           // it is owed deliveries, somebody waits for them, and none comes
}
