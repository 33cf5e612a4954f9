package render

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// renderText renders a text body with one tag, x.
func renderText(t *testing.T, text string, x Value) (string, error) {
	t.Helper()
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	template := compile(t, Spec{Body: "text", Text: text, Zone: chicago})
	req, err := template.Render(lookup(map[string]Value{"x": x, "call_start": x}), time.Time{})
	return string(req.Body), err
}

func TestFilters(t *testing.T) {
	text := func(s string) Value { return Value{String, s} }
	for _, test := range []struct {
		name string
		tag  string
		x    Value
		want string
	}{
		{"number keeps its digits", "#x|number#", text("1.50"), "1.50"},
		{"number of a number", "#x|number#", Value{Number, "-1e9"}, "-1e9"},
		{"number ignores spaces around", "#x|number#", text(" 7\n"), "7"},
		{"number of nothing", "#x|number#", Value{}, "null"},
		{"number of null", "#x|number#", Value{Null, "null"}, "null"},
		{"number of an empty text", "#x|number#", text(""), "null"},
		{"default of a number, in front", "#x|default:0|number#", Value{}, "0"},
		{"default of a number, behind", "#x|number|default:0#", Value{}, "0"},
		{"json of a text", "#x|json#", text("a\"b\n"), `"a\"b\n"`},
		{"json of a number", "#x|json#", Value{Number, "7e1"}, "7e1"},
		{"json of an object", "#x|json#", Value{JSON, `{"a":[1,null]}`}, `{"a":[1,null]}`},
		{"json of true", "#x|json#", Value{Bool, "true"}, "true"},
		{"json of nothing", "#x|json#", Value{}, "null"},
		{"bool of a bool", "#x|bool#", Value{Bool, "false"}, "false"},
		{"bool of a word", "#x|bool#", text("Yes"), "true"},
		{"bool of a digit", "#x|bool#", Value{Number, "0"}, "false"},
		{"bool of nothing", "#x|bool#", text(""), "null"},
		{"upper", "#x|upper#", text("straẞe é"), "STRAẞE É"},
		{"lower", "#x|lower#", text("ÀB"), "àb"},
		{"trim", "#x|trim#", text(" \ta b\n"), "a b"},
		{"last counts characters", "#x|last:2#", text("añé"), "ñé"},
		{"last of a shorter text", "#x|last:999999999999#", text("ab"), "ab"},
		{"default of nothing", "#x|default:a:b c#", Value{}, "a:b c"},
		{"default of something", "#x|default:a#", text("b"), "b"},
		{"default of null", "#x|default:a#", Value{Null, "null"}, "a"},
		{"default that is empty", "#x|default:#", Value{}, ""},
		{"sha256", "#x|sha256#", text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"sha256 of nothing", "#x|sha256#", Value{}, ""},
		{"filters in order", "#x|trim|last:3|upper#", text(" abcd "), "BCD"},
		{"e164 then last", "#x|e164:1|last:4#", text("(555) 123-0001"), "0001"},
		{"time in the service's zone", "#x|time:rfc3339#", text("2020-04-22T00:00:00Z"), "2020-04-21T19:00:00-05:00"},
		{"time in a zone of its own", "#x|time:rfc3339|zone:UTC#", text("2020-04-22T00:00:00Z"), "2020-04-22T00:00:00Z"},
		{"zone before time", "#x|zone:UTC|time:rfc3339#", text("2020-04-22T00:00:00.25Z"), "2020-04-22T00:00:00.25Z"},
		{"zone alone", "#x|zone:UTC#", text("2020-04-22T00:00:00Z"), "2020-04-22 00:00:00.0000"},
		{"time as ansi", "#x|time:ansi#", Value{Number, "1587513600"}, "2020-04-21 19:00:00.0000"},
		{"time as seconds", "#x|time:unix#", text("2020-04-22 00:00:00.9"), "1587513600"},
		{"time as milliseconds", "#x|time:unixms#", text("2020-04-22 00:00:00.1239"), "1587513600123"},
		{"time as the receiver reads it", "#x|time:2006-01-02 15:04:05#", Value{Number, "1587513600123"}, "2020-04-21 19:00:00"},
		{"time of nothing", "#x|time:unix#", Value{}, ""},
		{"time of nothing with a default", "#x|time:2006-01-02 15:04:05|default:0001-01-01 00:00:00#", Value{}, "0001-01-01 00:00:00"},
		{"time as JSON is a number", "#x|time:unix|json#", text("2020-04-22T00:00:00Z"), "1587513600"},
		{"time tag without a filter", "#call_start#", text("2020-04-22T00:00:00Z"), "2020-04-21 19:00:00.0000"},
		{"time tag that is no time", "#call_start#", text("unknown"), "unknown"},
		{"time tag before other filters", "#call_start|last:4#", Value{Number, "1587513600.5"}, "5000"},
		{"number of a time tag", "#call_start|number#", Value{Number, "1587513600"}, "1587513600"},
		{"other tags come as they are", "#x#", text("2020-04-22T00:00:00Z"), "2020-04-22T00:00:00Z"},
		{"a value is not looked at for tags", "#x# #x|upper#", text("#y# ##"), "#y# ## #Y# ##"},
		{"null is nothing", "[#x#]", Value{Null, "null"}, "[]"},
		{"an object is its JSON", "#x#", Value{JSON, `{"a":1}`}, `{"a":1}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := renderText(t, test.tag, test.x)
			if err != nil || got != test.want {
				t.Errorf("%s of %q = %q, %v, want %q", test.tag, test.x.Text, got, err, test.want)
			}
		})
	}
}

func TestFiltersRefuseValues(t *testing.T) {
	for _, test := range []struct {
		name string
		tag  string
		x    Value
		want string
	}{
		{"number of a word", "#x|number#", Value{String, "abc"}, `render text: #x|number#: "abc" is not a JSON number`},
		{"number with a leading zero", "#x|number#", Value{String, "007"}, `"007" is not a JSON number`},
		{"number that ends early", "#x|number#", Value{String, "1."}, "is not a JSON number"},
		{"number with half an exponent", "#x|number#", Value{String, "1e+-5"}, "is not a JSON number"},
		{"number that breaks out", "#x|number#", Value{String, `1,"a":2`}, "is not a JSON number"},
		{"number of true", "#x|number#", Value{Bool, "true"}, "is not a JSON number"},
		{"number of a time in words", "#call_start|number#", Value{String, "2020-04-22T00:00:00Z"}, "is not a JSON number"},
		{"bool of a word", "#x|bool#", Value{String, "maybe"}, "is not a truth value"},
		{"json of what is none", "#x|json#", Value{JSON, `{"a":`}, "is not JSON"},
		{"time of a word", "#x|time:unix#", Value{String, "noon"}, `"noon" is not a time`},
		{"time tag with a filter", "#call_start|zone:UTC#", Value{String, "noon"}, `"noon" is not a time`},
		{"long values are cut", "#x|bool#", Value{String, strings.Repeat("é", 99)}, `"éééééééééééééééééééé"… is not`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := renderText(t, test.tag, test.x)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s of %q = %q, %v, want the error %s", test.tag, test.x.Text, got, err, test.want)
			}
		})
	}
}

func TestFilterProblems(t *testing.T) {
	for _, test := range []struct {
		name string
		tag  string
		want string
	}{
		{"unknown", "#x|nubmer#", `2:9: #x|nubmer#: filter "nubmer" is not known (known: number json bool upper`},
		{"empty", "#x|#", `2:9: #x|#: filter "" is not known`},
		{"the place of a second one", "#x|upper|lst:4#", `2:15: #x|upper|lst:4#: filter "lst" is not known`},
		{"argument missing", "#x|last#", "filter last needs an argument, as in last:4"},
		{"argument too many", "#x|upper:1#", `filter upper takes no argument, not "1"`},
		{"last of no number", "#x|last:four#", `last: "four" is not a number of characters from 1`},
		{"last of nothing", "#x|last:0#", `last: "0" is not`},
		{"time without a layout", "#x|time:sql#", `time: "sql" is no layout (rfc3339 unix unixms ansi, or a Go layout`},
		{"zone that is none", "#x|zone:Chicago#", `zone: "Chicago" is not known`},
		{"zone without a name", "#x|zone:#", "zone: no name given"},
		{"country code that is none", "#x|e164:US#", `e164: "US" is not a country code`},
		{"filter after number", "#x|number|upper#", "filter upper follows number, which must be the last one"},
		{"number after json", "#x|json|number#", "filter number follows json, which must be the last one"},
		{"default that is no number", "#x|number|default:none#", `"none" is not a JSON number`},
		{"default in front that is no number", "#x|default:none|number#", `"none" is not a JSON number`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := Compile(Spec{URL: "https://example.com", Body: "text", Text: "é\nabc: " + test.tag})
			if len(problems) != 1 || problems[0].Key != "text" || !strings.Contains(problems[0].Text, test.want) {
				t.Errorf("problems = %v, want one of text with %s", problems, test.want)
			}
		})
	}
}

// TestEveryFilterHasItsFunction finds a filter that another one's function does
// the work of, or none.
func TestEveryFilterHasItsFunction(t *testing.T) {
	for _, filter := range Filters() {
		if filter.Text == "" || (filter.step == nil) == (filter.set == nil) {
			t.Errorf("filter %s has no text, or not one function", filter.Name)
		}
		compile(t, Spec{Secrets: map[string]string{"NAME": "s"}, Body: "params", Params: []Field{{"a", "#x|" + filter.Example + "#"}}})
	}
	const value = " Aé-1 "
	seen := map[string]string{}
	for _, filter := range Filters() {
		if filter.set != nil || filter.typed || slices.Contains([]string{"default", "e164", "omit", "scale", "xml"}, filter.Name) {
			continue
		}
		got := string(render(t, Spec{Secrets: map[string]string{"NAME": "s"}, Body: "text", Text: "#x|" + filter.Example + "#"}, map[string]Value{"x": {String, value}}).Body)
		if other, twice := seen[got]; twice || got == value {
			t.Errorf("filter %s makes %q of %q, as %q does", filter.Name, got, value, other)
		}
		seen[got] = filter.Name
	}
}

func TestE164(t *testing.T) {
	for _, test := range []struct {
		name, country, in, want string
	}{
		{"already so", "1", "+15551230001", "+15551230001"},
		{"marks for the eye", "1", "+1 (555) 123-0001", "+15551230001"},
		{"national of North America", "1", "5551230001", "+15551230001"},
		{"with its country code", "1", "15551230001", "+15551230001"},
		{"abroad from North America", "1", "011493012345678", "+493012345678"},
		{"trunk prefix", "49", "030 12345678", "+493012345678"},
		{"abroad", "49", "0015551230001", "+15551230001"},
		{"country code without plus", "49", "493012345678", "+493012345678"},
		{"Italy keeps its zero", "39", "06 1234567", "+39061234567"},
		{"extension", "1", "1401", "1401"},
		{"word", "1", "anonymous", "anonymous"},
		{"agent's telephone", "1", "16505550100*1212@RC_SOFTPHONE", "16505550100*1212@RC_SOFTPHONE"},
		{"too long", "1", "1234567890123456", "1234567890123456"},
		{"plus alone", "1", "+", "+"},
		{"nothing", "1", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := e164(test.in, test.country); got != test.want {
				t.Errorf("e164(%q, %s) = %q, want %q", test.in, test.country, got, test.want)
			}
		})
	}
}
