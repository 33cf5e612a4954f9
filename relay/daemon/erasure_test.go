package daemon

import (
	"slices"
	"testing"

	"callrelay/queue"
	"callrelay/relay/web"
)

// kept makes a record of a stream.
func kept(stream, id, call, body string) *queue.Stored {
	return &queue.Stored{Stream: stream, Record: queue.Record{Service: "crm", ID: id, Call: call, Body: []byte(body)}}
}

func TestAPersonIsFoundInEveryFormOfRecord(t *testing.T) {
	const call, other = "202004220000000000000000000001", "202004220000000000000000000002"
	store := []*queue.Stored{
		kept("EVENTS", "a", call, `{"event":"post_call","uii":"`+call+`","ani":"+1 (555) 123-0001","recording":"a.wav"}`),
		kept("EVENTS", "b", other, `{"event":"post_call","uii":"`+other+`","ani":"+15551230002"}`),
		kept("RETRY", "c", call, `{"event":"disposition","uii":"`+call+`"}`),
		kept("DEAD", "d", "", `{"event":"new_chat","ani":15551230001}`),
		kept("ATTEMPTS", "", "", `{"id":"e","call":"`+call+`"}`),
		kept("ATTEMPTS", "", "", `{"id":"d"}`),
		kept("ATTEMPTS", "", "", `{"id":"b","call":"`+other+`"}`),
		kept("DEBUG", "", "", `{"id":"e","request":{"body":"nothing that tells"}}`),
		kept("DEBUG", "", "", `{"id":"x","request":{"url":"https://crm.example.com/?from=%2B15551230001"}}`),
		kept("DEBUG", "", "", `{"id":"y","request":{"body":"915551230001"}}`),
		kept("DEBUG", "", "", `{"id":"b","request":{"body":"+15551230002"}}`),
	}
	for _, test := range []struct {
		name string
		whom web.Person
		want []int
	}{
		{"by call: not what only the number joins", web.Person{Call: call}, []int{0, 2, 4, 7}},
		{"by number: its calls, whole", web.Person{Number: "1-555-123-0001"}, []int{0, 2, 3, 4, 5, 7, 8}},
		{"a short number is looked for in members alone", web.Person{Number: "0002"}, nil},
		{"nobody", web.Person{Call: "unknown-call"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			who, err := newDataSubject(test.whom)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range store {
				who.learn(s)
			}
			var got []int
			for i, s := range store {
				if who.has(s) {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestNobodyIsErasedByAnEmptyName(t *testing.T) {
	for _, whom := range []web.Person{{}, {Number: "unknown"}, {Call: "a", Number: "1"}} {
		if _, err := newDataSubject(whom); err == nil {
			t.Errorf("%+v stands for somebody", whom)
		}
	}
	who, err := newDataSubject(web.Person{Number: "15551230001"})
	if err != nil {
		t.Fatal(err)
	}
	if s := kept("EVENTS", "", "", `{"event":"agent_login"}`); who.has(s) {
		t.Error("an event without a call and a number is of everybody")
	}
	if !who.hasEvent([]byte(`{"event":"recording_available","ani":"+15551230001"}`)) {
		t.Error("a late recording is not found by its event")
	}
}
