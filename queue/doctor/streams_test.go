package doctor

import (
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

func TestAClockThatWasSetBackIsAFault(t *testing.T) {
	x := &exam{o: engine.Options{}.WithDefaults()}
	x.stream(record.Events, engine.State{Last: time.Now().Add(time.Hour)})
	if len(x.list) == 0 || x.list[0].What != "clock" || x.list[0].Level != Faulty {
		t.Errorf("got %+v", x.list)
	}
}
