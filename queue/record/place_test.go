package record

import (
	"testing"
	"time"
)

func TestPlaceIsReadFromBothFormsOfTheReply(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reply string
		want  Place
		ok    bool
	}{
		{"$JS.ACK.EVENTS.crm.1.200.3.1700000000000000000.42", Place{Seq: 200, Nth: 3, At: time.Unix(1_700_000_000, 0), Pending: 42}, true},
		{"$JS.ACK.hub.ACCHASH.EVENTS.crm.1.200.3.1700000000000000000.42", Place{Seq: 200, Nth: 3, At: time.Unix(1_700_000_000, 0), Pending: 42}, true},
		{"$JS.ACK.hub.ACCHASH.EVENTS.crm.1.200.3.1700000000000000000.42.random", Place{Seq: 200, Nth: 3, At: time.Unix(1_700_000_000, 0), Pending: 42}, true},
		{"$JS.ACK.EVENTS.crm.1.x.3.1700000000000000000.42", Place{}, false},
		{"", Place{}, false},
	} {
		if got, ok := ParsePlace(test.reply); ok != test.ok || ok && got != test.want {
			t.Errorf("%s: got %+v %v, want %+v", test.reply, got, ok, test.want)
		}
	}
}
