package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// ahead is how much later than now a record may have been stored before the
// clock is taken to have been set back.
const ahead = 5 * time.Second

// streams looks at each stream and returns what JetStream says of those that
// are there.
func (x *exam) streams(ctx context.Context, eng *engine.Engine) map[string]engine.State {
	known := map[string]engine.State{}
	for _, name := range record.Order {
		info, err := eng.Details(ctx, name)
		state := info.State
		if err != nil {
			x.fault(name, "relay run makes the stream again, and takes up its records if they are there", "JetStream did not take it up: %v", err)
			continue
		}
		known[name] = state
		x.stream(name, state)
		if !x.live {
			x.readable(ctx, eng, name, state)
		}
	}
	x.levels(known)
	return known
}

// readable reads every record of a stream: a damaged one JetStream passes over.
func (x *exam) readable(ctx context.Context, eng *engine.Engine, name string, s engine.State) {
	read := uint64(0)
	err := eng.ReadSpan(ctx, name, engine.Span{From: s.FirstSeq, To: s.LastSeq}, func(*nats.Msg, record.Place) { read++ })
	if err != nil || read < s.Messages {
		x.fault(name, "copy the folder away before the relay starts; a backup, or the call server, may have what is lost",
			"%d of %s can be read", read, many(int(s.Messages), "record"))
	}
}

func (x *exam) stream(name string, s engine.State) {
	if lost := s.Lost; lost != nil && (len(lost.Msgs) > 0 || lost.Bytes > 0) {
		x.fault(name, "look at the disk and the kernel's log; a backup, or the call server, may have what was lost",
			"JetStream found damaged blocks and lost %s", lostText(lost.Msgs, lost.Bytes))
	}
	if late := time.Until(s.Last); late > ahead {
		x.fault("clock", "set the clock: until then retries, max_age and duplicates go wrong",
			"the newest record of %s was stored %s from now: the clock was set back", name, late.Round(time.Second))
	}
	x.well(name, "%s of %s, %d to %d", many(int(s.Messages), "record"), sizeText(int64(s.Bytes)), s.FirstSeq, s.LastSeq)
}

func lostText(seqs []uint64, bytes uint64) string {
	if len(seqs) == 0 {
		return sizeText(int64(bytes))
	}
	return fmt.Sprintf("%s, %d to %d", many(len(seqs), "record"), seqs[0], seqs[len(seqs)-1])
}

// levels tells how near the streams are to their limits.
func (x *exam) levels(known map[string]engine.State) {
	used := int64(known[record.Events].Bytes + known[record.Retry].Bytes)
	if float64(used) > engine.HighPart*float64(x.o.MaxBytes) {
		x.doubt("limit", "mend the endpoint that holds most, or raise queue.max_bytes: its oldest deliveries become dead letters",
			"EVENTS and RETRY hold %s of %s", sizeText(used), sizeText(x.o.MaxBytes))
	}
	if letters := int64(known[record.Dead].Bytes); float64(letters) > engine.HighPart*float64(x.o.DeadMaxBytes) {
		x.doubt("limit", "relay dead replay or relay dead drop, or raise queue.dead_max_bytes: when it is full, intake refuses",
			"DEAD holds %s of %s", sizeText(letters), sizeText(x.o.DeadMaxBytes))
	}
}
