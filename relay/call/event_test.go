package call

import (
	"slices"
	"testing"

	"callrelay/render"
)

func TestLookup(t *testing.T) {
	e := decode(t, `{"event":"x","id":"i","queue":"support","ani":"+1 (555) 123-0001","n":1.50,"yes":true,"nothing":null,
		"text":"a\n\"b\"","list":[1],"a":{"b":{"c":"deep"},"d.e":"dotted"},"a.x":"flat","gate_id":""}`, Options{})[0]
	for _, test := range []struct {
		tag  string
		want render.Value
	}{
		{"event", render.Value{Kind: render.String, Text: "x"}},
		{"event_id", render.Value{Kind: render.String, Text: "i"}},
		{"id", render.Value{Kind: render.String, Text: "i"}},
		{"scope", render.Value{Kind: render.String, Text: "support"}},
		{"queue", render.Value{Kind: render.String, Text: "support"}},
		{"campaign", render.Value{}},
		{"n", render.Value{Kind: render.Number, Text: "1.50"}},
		{"yes", render.Value{Kind: render.Bool, Text: "true"}},
		{"nothing", render.Value{Kind: render.Null, Text: ""}},
		{"text", render.Value{Kind: render.String, Text: "a\n\"b\""}},
		{"list", render.Value{Kind: render.JSON, Text: "[1]"}},
		{"a.b", render.Value{Kind: render.JSON, Text: `{"c":"deep"}`}},
		{"a.b.c", render.Value{Kind: render.String, Text: "deep"}},
		{"a.d.e", render.Value{Kind: render.String, Text: "dotted"}},
		{"a.x", render.Value{Kind: render.String, Text: "flat"}},
		{"a.b.z", render.Value{}},
		{"n.b", render.Value{}},
		{"gate_name", render.Value{Kind: render.String, Text: "support"}},
		{"gate_id", render.Value{Kind: render.String, Text: ""}},
		{"ani_last4", render.Value{Kind: render.String, Text: "0001"}},
		{"ani_npa", render.Value{Kind: render.String, Text: "555"}},
		{"ani_nxx", render.Value{Kind: render.String, Text: "123"}},
		{"", render.Value{}},
	} {
		if got := e.Lookup(test.tag); got != test.want {
			t.Errorf("Lookup(%q) = %v, want %v", test.tag, got, test.want)
		}
	}
}

func TestDerivedFromCaller(t *testing.T) {
	for _, test := range []struct {
		name            string
		ani             string
		last4, npa, nxx string
	}{
		{"E.164", `"+15551230001"`, "0001", "555", "123"},
		{"eleven digits", `"15551230001"`, "0001", "555", "123"},
		{"a number", `5551230001`, "0001", "555", "123"},
		{"punctuation", `"555.123-0001"`, "0001", "555", "123"},
		{"another country", `"+4930123456"`, "3456", "", ""},
		{"ten digits of another country", `"+4930123456"`, "3456", "", ""},
		{"an extension", `"1001"`, "1001", "", ""},
		{"too short", `"911"`, "", "", ""},
		{"withheld", `"anonymous"`, "", "", ""},
		{"an address", `"sip:1001@pbx"`, "", "", ""},
		{"null", `null`, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := decode(t, `{"event":"x","ani":`+test.ani+`}`, Options{})[0]
			for tag, want := range map[string]string{"ani_last4": test.last4, "ani_npa": test.npa, "ani_nxx": test.nxx} {
				if got := e.Lookup(tag); got.Text != want || (want == "") != (got.Kind == render.Absent) {
					t.Errorf("%s = %v, want %q", tag, got, want)
				}
			}
		})
	}
}

func TestDerivedYieldsToTheEvent(t *testing.T) {
	e := decode(t, `{"event":"x","queue":"q","ani":"+15551230001","ani_last4":"9999","gate_name":"Support"}`, Options{})[0]
	if e.Lookup("ani_last4").Text != "9999" || e.Lookup("gate_name").Text != "Support" {
		t.Error("a derived tag hides what the event says")
	}
}

func TestRecordingOfEvent(t *testing.T) {
	for _, test := range []struct {
		name       string
		in         string
		path       string
		present    bool
		start, end float64
	}{
		{"not spoken of", `{"event":"x"}`, "", false, -1, -1},
		{"null", `{"event":"x","recording":null}`, "", false, -1, -1},
		{"there is none", `{"event":"x","recording":""}`, "", true, -1, -1},
		{"a file", `{"event":"x","recording":"a.wav"}`, "a.wav", true, -1, -1},
		{"a slice", `{"event":"x","recording":"a.wav","recording_start":"1.5","recording_end":3}`, "a.wav", true, 1.5, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := decode(t, test.in, Options{})[0]
			path, present := e.Recording()
			start, end := e.Slice()
			if path != test.path || present != test.present || start != test.start || end != test.end {
				t.Errorf("got %q %v %v %v, want %q %v %v %v", path, present, start, end, test.path, test.present, test.start, test.end)
			}
		})
	}
}

func TestScriptKeepsItsOrder(t *testing.T) {
	e := decode(t, `{"event":"x","script":{"z":1,"a":"yes","m":null}}`, Options{})[0]
	want := []Member{{"z", render.Value{Kind: render.Number, Text: "1"}}, {"a", render.Value{Kind: render.String, Text: "yes"}}, {"m", render.Value{Kind: render.Null}}}
	if got := e.Script(); !slices.Equal(got, want) {
		t.Errorf("Script() = %v, want %v", got, want)
	}
	if got := decode(t, `{"event":"x","script":"no object"}`, Options{})[0].Script(); len(got) != 0 {
		t.Errorf("Script() of a string = %v", got)
	}
}

func TestParseReadsBack(t *testing.T) {
	for _, e := range decode(t, document, Options{}) {
		back, err := Parse(e.Body, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if back.ID != e.ID || back.Name != e.Name || back.ScopeKind != e.ScopeKind || back.Scope != e.Scope ||
			back.Call != e.Call || back.Segment != e.Segment {
			t.Errorf("Parse = %+v, want %+v", back, e)
		}
		for _, tag := range Vocabulary() {
			if got, want := back.Lookup(tag.Name), e.Lookup(tag.Name); got != want {
				t.Errorf("Lookup(%s) after Parse = %v, want %v", tag.Name, got, want)
			}
		}
		if unnamed, err := Parse(e.Body, ""); err != nil || unnamed.ID != e.ID {
			t.Errorf("Parse without an id = %v, %v, want the id in the body", unnamed, err)
		}
	}
}
