package render

import (
	"strings"
	"testing"
	"time"
)

func TestXML(t *testing.T) {
	event := map[string]Value{"v": {String, "<a> & \"b\" 'c'\r\n\t]]>"}, "n": {Number, "7"}}
	for _, test := range []struct {
		name, text, want string
	}{
		{"text", "<r>#v#</r>", "<r>&lt;a&gt; &amp; \"b\" 'c'&#xD;\n\t]]&gt;</r>"},
		{"attribute", `<r a = "#v#"/>`, `<r a = "&lt;a&gt; &amp; &quot;b&quot; &#39;c&#39;&#xD;&#xA;&#x9;]]&gt;"/>`},
		{"CDATA", "<r><![CDATA[#v#]]></r>", "<r><![CDATA[<a> & \"b\" 'c']]>&#xD;<![CDATA[\n\t]]]]><![CDATA[>]]></r>"},
		{"CDATA around a tag", "<r><![CDATA[<#n#>]]></r>", "<r><![CDATA[<]]><![CDATA[7]]><![CDATA[>]]></r>"},
		{"markup as written", "<?xml version='1.0'?>\n<!-- ## --><p:r\n xmlns:p='u' a='##'>&#65;&amp;##<x ></x ><y/></p:r>\n", "<?xml version='1.0'?>\n<!-- ## --><p:r\n xmlns:p='u' a='#'>&#65;&amp;#<x ></x ><y/></p:r>\n"},
		{"entities in an argument", `<r a="#x|default:&quot;&amp;#">#x|default:&lt;A#</r>`, `<r a="&quot;&amp;">&lt;A</r>`},
		{"nothing", "<r>#x#</r>", "<r></r>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(render(t, Spec{Body: "xml", Text: test.text}, event).Body); got != test.want {
				t.Errorf("body = %s\nwant   %s", got, test.want)
			}
		})
	}
}

func TestXMLProblems(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
	}{
		{"empty", "", "it has 0 root elements, not 1"},
		{"two roots", "<a/><b/>", "it has 2 root elements, not 1"},
		{"text outside", "<a/>#x#", "1:5: not XML: text outside the root element"},
		{"not closed", "<a>\n<b>\n</b>", "3:5: not XML: unexpected EOF"},
		{"closed by another", "<a>\n</b>", "2:5: not XML: element <a> closed by </b>"},
		{"unknown entity", "<a>&nbsp;</a>", "not XML: invalid character entity &nbsp;"},
		{"bare ampersand", "<a>\n &b</a>", "not XML: invalid character entity"},
		{"tag as an element's name", "<#x#/>", "not XML: expected element name after <"},
		{"tag as an attribute's name", "<a #x#='1'/>", "not XML: "},
		{"tag without quotes", "<a b=#x#/>", "not XML: unquoted or missing attribute value"},
		{"tag in a comment", "<a><!-- #x# --></a>", "1:4: #x#: a tag cannot stand in a comment"},
		{"tag in an instruction", "<a><?php #x# ?></a>", "1:4: #x#: a tag cannot stand in a comment or processing instruction"},
		{"tag as a namespace", "<a xmlns = '#x#'/>", "1:1: a tag cannot stand in a namespace declaration"},
		{"tag as a prefix's namespace", "<a b='1' xmlns:p='#x#'/>", "a tag cannot stand in a namespace declaration"},
		{"DOCTYPE", "<!DOCTYPE a>\n<a/>", "1:1: a DOCTYPE is not sent"},
		{"attribute twice", "<a>\n<b c='1' c='2'/></a>", "2:1: not XML: attribute c is given twice"},
		{"other encoding", "<?xml version='1.0' encoding='latin1'?><a/>", `encoding "latin1": everything is sent as UTF-8`},
		{"control character", "<a>\x01</a>", "not XML: illegal character code U+0001"},
		{"filter within", "<a>\n<b c='#x|uper#'/></a>", "2:10: #x|uper#: filter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := Compile(withURL(Spec{Body: "xml", Text: test.text}))
			if len(problems) != 1 || problems[0].Key != "xml" || !strings.Contains(problems[0].Text, test.want) {
				t.Errorf("problems = %v, want one of xml: %s", problems, test.want)
			}
		})
	}
}

func TestXMLRefusesInvalidText(t *testing.T) {
	template := compile(t, Spec{Body: "xml", Text: "<a>#x#</a>"})
	for _, value := range []string{"\xff", "a\x00", "\v", "\uFFFE"} {
		_, err := template.Render(func(string) Value { return Value{String, value} }, time.Time{})
		if err == nil || !strings.Contains(err.Error(), "render xml: #x#: the value holds U+") {
			t.Errorf("%q: error = %v", value, err)
		}
	}
}
