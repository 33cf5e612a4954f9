package call

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// sum16 is the hash of the contract, made without the code under test.
func sum16(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:16]
}

func TestIDs(t *testing.T) {
	long := strings.Repeat("u", 120)
	for _, test := range []struct {
		name string
		in   string
		want []string
	}{
		{"given", `{"event":"x","id":"a b/ü","uii":"c"}`, []string{"a b/ü"}},
		{
			"from the call", `{"event":"x","uii":"c","segment_id":"2","n":1}`,
			[]string{"c/x/2/" + sum16(`{"event":"x","n":1,"segment_id":"2","uii":"c"}`)},
		},
		{"without a segment", `{"event":"x","uii":"c"}`, []string{"c/x//" + sum16(`{"event":"x","uii":"c"}`)}},
		{"an empty id is none", `{"event":"x","uii":"c","id":""}`, []string{"c/x//" + sum16(`{"event":"x","uii":"c"}`)}},
		{
			"canonical: sorted, compact, plain", `{ "uii":"c", "z":{"b":[1.50, "\u0041"],"a":1e2}, "event":"x" }`,
			[]string{"c/x//" + sum16(`{"event":"x","uii":"c","z":{"a":1e2,"b":[1.50,"A"]}}`)},
		},
		{
			"names that begin alike", `{"uii":"c","event":"x","agent_name_b":1,"agent_name_a":2,"agent":3}`,
			[]string{"c/x//" + sum16(`{"agent":3,"agent_name_a":2,"agent_name_b":1,"event":"x","uii":"c"}`)},
		},
		{
			"segments of a call", `{"event":"x","uii":"c","n":1,"segments":[{"segment_id":"1","n":2},{"n":3}]}`,
			[]string{
				"c/x/1/" + sum16(`{"event":"x","n":2,"segment_id":"1","uii":"c"}`),
				"c/x//" + sum16(`{"event":"x","n":3,"uii":"c"}`),
			},
		},
		{"segments of an event with an id", `{"event":"x","id":"a","segments":[{},{"segment_id":7},{}]}`, []string{"a/1", "a/7", "a/3"}},
		{"segments with ids of their own", `{"event":"x","id":"a","segments":[{"id":"b"},{}]}`, []string{"b", "a/2"}},
		{
			"a call id that is too long", `{"event":"x","uii":"` + long + `"}`,
			[]string{sum16(long) + "/x//" + sum16(`{"event":"x","uii":"`+long+`"}`)},
		},
		{
			"the longer part goes first", `{"event":"x","uii":"c` + long + `","segment_id":"` + long + `"}`,
			[]string{sum16("c"+long) + "/x/" + sum16(long) + "/" + sum16(`{"event":"x","segment_id":"`+long+`","uii":"c`+long+`"}`)},
		},
		{
			"a segment id that is too long", `{"event":"x","id":"` + strings.Repeat("i", 60) + `","segments":[{"segment_id":"` + long + `"}]}`,
			[]string{strings.Repeat("i", 60) + "/" + sum16(long)},
		},
		{
			"a control character in the call's id", `{"event":"x","uii":"a\nb"}`,
			[]string{sum16("a\nb") + "/x//" + sum16(`{"event":"x","uii":"a\nb"}`)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			events := decode(t, test.in, Options{})
			if len(events) != len(test.want) {
				t.Fatalf("got %d events, want %d", len(events), len(test.want))
			}
			for i, e := range events {
				if e.ID != test.want[i] {
					t.Errorf("id of event %d = %q, want %q", i, e.ID, test.want[i])
				}
				if len(e.ID) > MaxID {
					t.Errorf("id of event %d is %d bytes long", i, len(e.ID))
				}
				if got := e.Lookup("event_id").Text; got != e.ID {
					t.Errorf("#event_id# = %q, want %q", got, e.ID)
				}
			}
		})
	}
}

func TestIDDoesNotDependOnSettings(t *testing.T) {
	in := `{"event":"x","uii":"c","call_start":"2020-04-22 00:00:00","recording":"/rec/a.wav"}`
	zone := location(t, "Europe/Berlin")
	a := decode(t, in, Options{RecordingsDir: "/rec"})[0].ID
	b := decode(t, in, Options{RecordingsDir: "/", Zone: zone})[0].ID
	if a != b {
		t.Errorf("ids %q and %q differ", a, b)
	}
}

func TestIDWithoutCallIsNew(t *testing.T) {
	const in = `{"event":"agent_login"}`
	a, b := decode(t, in, Options{})[0].ID, decode(t, in, Options{})[0].ID
	v7 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if a == b || !v7.MatchString(a) || !v7.MatchString(b) {
		t.Errorf("ids = %q, %q, want two different UUIDv7", a, b)
	}
}

// A claim is the same for the same content, however it is written, and another
// one for any other.
func TestClaims(t *testing.T) {
	claims := func(text string, o Options) []string {
		t.Helper()
		events, err := Decode([]byte(text), o)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		list := make([]string, len(events))
		for i, e := range events {
			list[i] = e.Claim
		}
		return list
	}
	zone := time.FixedZone("there", 3600)
	one := claims(`{"event":"a","id":"C1","call_start":"2024-01-01 00:00:00","x":{"b":1,"a":2}}`, Options{})
	if got := claims(`{ "x":{"a":2,"b":1}, "call_start":"2024-01-01 00:00:00", "id":"C1", "event":"a" }`, Options{Zone: zone}); !slices.Equal(got, one) {
		t.Errorf("the same event claims %v and %v", one, got)
	}
	if got := claims(`{"event":"b","id":"C1"}`, Options{}); slices.Equal(got, one) {
		t.Errorf("another event claims the same: %v", got)
	}
	if got := claims(`{"event":"a","uii":"U1"}`, Options{}); got[0] != "" {
		t.Errorf("an event without an id claims %v", got)
	}
	if got := claims(`{"event":"a","id":"C1"}`, Options{Internal: true}); got[0] != "" {
		t.Errorf("the relay's own event claims %v", got)
	}
	two := claims(`{"event":"a","id":"C2","segments":[{"agent_id":1},{"agent_id":2}]}`, Options{})
	if two[0] != two[1] || !strings.HasPrefix(two[0], "C2=") {
		t.Errorf("the segments of one event claim %v", two)
	}
	if more := claims(`{"event":"a","id":"C2","segments":[{"agent_id":1},{"agent_id":2},{"agent_id":3}]}`, Options{}); more[0] == two[0] {
		t.Error("one segment more claims the same")
	}
	own := claims(`{"event":"a","id":"C3","segments":[{"id":"s1","agent_id":1},{"agent_id":2}]}`, Options{})
	if !strings.HasPrefix(own[0], "s1=") || !strings.HasPrefix(own[1], "C3=") {
		t.Errorf("a segment with an id of its own: %v", own)
	}
}
