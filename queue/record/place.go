package record

import (
	"strconv"
	"strings"
	"time"
)

// Place is what JetStream says of a record it delivers.
type Place struct {
	Seq     uint64
	Nth     uint64    // how many the consumer has delivered with it
	At      time.Time // when it was stored
	Pending int       // how many more the consumer has
}

// ParsePlace reads the reply subject of a delivered record:
// $JS.ACK[.domain.account].stream.consumer.delivered.seq.cseq.time.pending[.random].
func ParsePlace(reply string) (Place, bool) {
	var tokens [12]string
	n := 0
	for rest, more := reply, true; more && n < len(tokens); n++ {
		tokens[n], rest, more = strings.Cut(rest, ".")
	}
	first := 2
	switch {
	case n == 9:
	case n >= 11:
		first = 4
	default:
		return Place{}, false
	}
	seq, err1 := strconv.ParseUint(tokens[first+3], 10, 64)
	nth, err2 := strconv.ParseUint(tokens[first+4], 10, 64)
	at, err3 := strconv.ParseInt(tokens[first+5], 10, 64)
	pending, err4 := strconv.Atoi(tokens[first+6])
	return Place{seq, nth, time.Unix(0, at), pending}, err1 == nil && err2 == nil && err3 == nil && err4 == nil
}
