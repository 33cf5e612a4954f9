package call

import (
	"errors"
	"strings"
	"testing"
)

// document is the example of the contract.
const document = `{"event":"agent_termination","queue":"support","uii":"202004220000000000000000000001","ani":"+15551230001","dnis":"+15559870002",
 "call_start":"2020-04-22T00:00:00Z","duration":185,
 "segments":[{"segment_id":"1","agent_id":1401,"agent_username":"ann@example.com","recording":"20200422-1.wav"},
             {"segment_id":"2","agent_id":1402,"agent_username":"bob@example.com","recording":"20200422-2.wav","agent_perspective_recording":"20200422-2-dual.wav"}]}`

func decode(t testing.TB, text string, o Options) []Event {
	t.Helper()
	events, err := Decode([]byte(text), o)
	if err != nil {
		t.Fatalf("Decode(%s): %v", text, err)
	}
	return events
}

func TestDecodeSplitsSegments(t *testing.T) {
	events := decode(t, document, Options{})
	if len(events) != 2 {
		t.Fatalf("got %d events, want one per segment", len(events))
	}
	want := `{"id":"202004220000000000000000000001/agent_termination/2/` + events[1].ID[len(events[1].ID)-16:] + `",` +
		`"event":"agent_termination","queue":"support","uii":"202004220000000000000000000001","ani":"+15551230001","dnis":"+15559870002",` +
		`"call_start":"2020-04-22T00:00:00Z","duration":185,` +
		`"segment_id":"2","agent_id":1402,"agent_username":"bob@example.com","recording":"20200422-2.wav","agent_perspective_recording":"20200422-2-dual.wav"}`
	if got := string(events[1].Body); got != want {
		t.Errorf("body of segment 2:\n got %s\nwant %s", got, want)
	}
	e := events[0]
	if e.Name != "agent_termination" || e.ScopeKind != "queue" || e.Scope != "support" ||
		e.Call != "202004220000000000000000000001" || e.Segment != "1" {
		t.Errorf("segment 1 = %+v", e)
	}
}

func TestDecodeKeepsWhatCame(t *testing.T) {
	for _, test := range []struct {
		name string
		in   string
		want string
	}{
		{"digits of numbers", `{"id":"a","event":"x","n":1.50e3,"big":123456789012345678901234567890}`, ""},
		{"order and escapes", `{"z":"A\/","event":"x","id":"a","b":null}`, ""},
		{"white space goes", "\n { \"id\" : \"a\",\t\"event\":\"x\", \"o\" : { \"k\" : [ 1 , 2 ] } }\r\n", `{"id":"a","event":"x","o":{"k":[1,2]}}`},
		{"a numeric id becomes text", `{"event":"x","id":17}`, `{"event":"x","id":"17"}`},
		{"no segments", `{"event":"x","id":"a","segments":[]}`, `{"event":"x","id":"a"}`},
		{"null segments", `{"event":"x","id":"a","segments":null}`, `{"event":"x","id":"a"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want == "" {
				test.want = test.in
			}
			if got := string(decode(t, test.in, Options{})[0].Body); got != test.want {
				t.Errorf("body:\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestDecodeLaysSegmentsOverTheCall(t *testing.T) {
	events := decode(t, `{"id":"a","event":"x","agent_id":1,"b":true,"segments":[{"agent_id":2,"c":3},{"event":"y"}]}`, Options{})
	for i, want := range []string{
		`{"id":"a/1","event":"x","agent_id":2,"b":true,"c":3}`,
		`{"id":"a/2","event":"y","agent_id":1,"b":true}`,
	} {
		if got := string(events[i].Body); got != want {
			t.Errorf("segment %d:\n got %s\nwant %s", i+1, got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, test := range []struct {
		name  string
		in    string
		field string
		want  string // part of the problem
	}{
		{"nothing", ``, "", "empty"},
		{"white space only", " \n", "", "empty"},
		{"an array", `[]`, "", "want a JSON object"},
		{"a string", `"x"`, "", "want a JSON object"},
		{"no JSON", `{event}`, "", "at byte 2"},
		{"a cut-off event", `{"event":"x"`, "", "unexpected EOF"},
		{"two events", `{"event":"x"} {"event":"y"}`, "", "more text"},
		{"a duplicate member", `{"event":"x","ani":"1","ani":"2"}`, "ani", "given twice"},
		{"a duplicate in other letters", `{"event":"x","ani":"1","\u0061ni":"2"}`, "ani", "given twice"},
		{"a duplicate deep down", `{"event":"x","a":{"b":[1,{"c":1,"c":2}]}}`, "a.b[1].c", "given twice"},
		{"a duplicate in a segment", `{"event":"x","segments":[{},{"k":1,"k":1}]}`, "segments[1].k", "given twice"},
		{"invalid UTF-8", "{\"event\":\"x\",\"name\":\"\xff\"}", "name", "invalid UTF-8"},
		{"half a surrogate pair", `{"event":"x","name":"\ud800"}`, "name", "surrogate"},
		{"a raw control character", "{\"event\":\"x\",\"name\":\"a\nb\"}", "name", "invalid character"},
		{"a number with a leading zero", `{"event":"x","n":012}`, "", "at byte"},

		{"no event", `{"queue":"a"}`, "event", "required"},
		{"an event that is no string", `{"event":5}`, "event", "want a string"},
		{"an empty event name", `{"event":""}`, "event", "not an event name"},
		{"an event name with a capital", `{"event":"Post_call"}`, "event", "not an event name"},
		{"an event name that is too long", `{"event":"` + strings.Repeat("a", 65) + `"}`, "event", "not an event name"},
		{"an event of the relay's", `{"event":"relay_queue_high"}`, "event", "reserved"},
		{"a reserved member", `{"event":"x","attempt":1}`, "attempt", "reserved"},
		{"a reserved member of a recording", `{"event":"x","recording_sha256":""}`, "recording_sha256", "reserved"},
		{"a reserved member in a segment", `{"event":"x","segments":[{"now":1}]}`, "segments[0].now", "reserved"},

		{"two scopes", `{"event":"x","queue":"a","campaign":"b"}`, "campaign", "second scope beside queue"},
		{"a second scope in a segment", `{"event":"x","queue":"a","segments":[{"ivr":"b"}]}`, "segments[0].ivr", "second scope"},
		{"a scope that is an object", `{"event":"x","queue":{}}`, "queue", "a string or a number"},
		{"an id that is an object", `{"event":"x","id":{}}`, "id", "a string or a number"},
		{"an id that is too long", `{"event":"x","id":"` + strings.Repeat("i", 129) + `"}`, "id", "129 bytes"},
		{"an id with a control character", `{"event":"x","id":"a\nb"}`, "id", "control"},
		{"a call id that is true", `{"event":"x","uii":true}`, "uii", "a string or a number"},

		{"segments that are no array", `{"event":"x","segments":{}}`, "segments", "array"},
		{"a segment that is no object", `{"event":"x","segments":[{},1]}`, "segments[1]", "want an object"},
		{"segments in a segment", `{"event":"x","segments":[{"segments":[]}]}`, "segments[0].segments", "no segments"},
		{"too many segments", `{"event":"x","segments":[{}` + strings.Repeat(",{}", 256) + `]}`, "", "256 segments"},
		{"the same segment id twice", `{"event":"x","id":"a","segments":[{"segment_id":"2"},{}]}`, "segments[1]", "same id as segment 1: a/2"},
		{"the same segment twice", `{"event":"x","uii":"a","segments":[{"k":1},{"k":1}]}`, "segments[1]", "same id"},

		{"a recording above the folder", `{"event":"x","recording":"../a.wav"}`, "recording", ".."},
		{"a recording that climbs within", `{"event":"x","recording":"a/../b.wav"}`, "recording", ".."},
		{"a recording elsewhere", `{"event":"x","recording":"/etc/passwd"}`, "recording", "not below"},
		{"a recording beside the folder", `{"event":"x","recording":"/rec2/a.wav"}`, "recording", "not below"},
		{"the folder itself", `{"event":"x","recording":"."}`, "recording", "no file"},
		{"a recording with a line feed", `{"event":"x","recording":"a\nb"}`, "recording", "control"},
		{"a recording that is a number", `{"event":"x","recording":1}`, "recording", "want a string"},
		{"an agent's recording above", `{"event":"x","agent_perspective_recording":"../a"}`, "agent_perspective_recording", ".."},
		{"a link beside a recording", `{"event":"x","recording":"a","recording_url":"http://a"}`, "recording_url", "beside recording"},
		{"a slice that ends before it starts", `{"event":"x","recording_start":5,"recording_end":5}`, "recording_end", "not after"},
		{"a slice that is no number", `{"event":"x","recording_start":"soon"}`, "recording_start", "want seconds"},

		{"objects that nest too deep", `{"event":"x","a":` + nest(32) + `}`, "a", "deeper than 32"},
		{"a segment that nests too deep", `{"event":"x","segments":[{"a":` + nest(30) + `}]}`, "segments[0].a", "deeper than 32"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode([]byte(test.in), Options{RecordingsDir: "/rec"})
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error = %v, want an *Error", err)
			}
			if e.Field != test.field || !strings.Contains(e.Problem, test.want) {
				t.Errorf("error = %q: %q, want %q: …%s…", e.Field, e.Problem, test.field, test.want)
			}
		})
	}
}

func TestDecodeTakesWhatIsJustAllowed(t *testing.T) {
	nest := strings.Repeat("[", 31) + strings.Repeat("]", 31)
	for _, test := range []struct {
		name string
		in   string
	}{
		{"nesting", `{"event":"x","a":` + nest + `}`},
		{"brackets in strings do not nest", `{"event":"x","a":["` + strings.Repeat(`[\"`, 100) + `"]}`},
		{"segments", `{"event":"x","segments":[{}` + strings.Repeat(",{}", 255) + `]}`},
		{"event name", `{"event":"` + strings.Repeat("a", 64) + `"}`},
		{"id", `{"event":"x","id":"` + strings.Repeat("i", 128) + `"}`},
		{"the relay's test", `{"event":"relay_test"}`},
		{"a scope that is null beside another", `{"event":"x","queue":null,"ivr":"a"}`},
		{"a link of its own", `{"event":"x","recording_url":"http://a"}`},
		{"a link of its own and no recording", `{"event":"x","recording":"","recording_url":"http://a"}`},
		{"dots in a file name", `{"event":"x","recording":"a..b/..c.wav"}`},
		{"an unknown event", `{"event":"something_else"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			decode(t, test.in, Options{})
		})
	}
}

func TestDecodeLimitsSize(t *testing.T) {
	long := `"k":"` + strings.Repeat("x", 200<<10) + `"`
	for _, test := range []struct {
		name string
		in   string
		o    Options
	}{
		{"one event", `{"event":"x",` + long + `}`, Options{MaxEvent: 100 << 10}},
		{"the default", `{"event":"x","k":"` + strings.Repeat("x", 256<<10) + `"}`, Options{}},
		{"after splitting", `{"event":"x",` + long + `,"segments":[{"a":0}` + strings.Repeat(`,{}`, 30) + `]}`, Options{}},
		{"segments", `{"event":"x","segments":[{}` + strings.Repeat(",{}", 256) + `]}`, Options{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode([]byte(test.in), test.o)
			if e, ok := errors.AsType[*Error](err); !ok || !e.TooLarge {
				t.Errorf("error = %v, want one that says too large", err)
			}
		})
	}
}

func TestDecodeAllowsTheRelayItsNames(t *testing.T) {
	in := `{"event":"relay_breaker_opened","scope":"crm","recording":"a","recording_url":"u","recording_state":"ready"}`
	e := decode(t, in, Options{Internal: true})[0]
	if e.Name != "relay_breaker_opened" || e.Lookup("scope").Text != "crm" {
		t.Errorf("event = %+v", e)
	}
}

func TestDecodeSettlesRecordings(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"a.wav", "a.wav"},
		{"./2020//a.wav", "2020/a.wav"},
		{"/rec/2020/a.wav", "2020/a.wav"},
		{"/rec//a.wav", "a.wav"},
	} {
		e := decode(t, `{"event":"x","recording":`+quote(test.in)+`}`, Options{RecordingsDir: "/rec"})[0]
		if got, present := e.Recording(); !present || got != test.want {
			t.Errorf("Recording() of %s = %q, %v, want %q", test.in, got, present, test.want)
		}
		if !strings.Contains(string(e.Body), quote(test.want)) {
			t.Errorf("body = %s, want it to hold %s", e.Body, test.want)
		}
	}
}
