package render

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"
)

var soapParams = []Field{{"agent", "#agent_username#"}, {"callStart", "#call_start#"}, {"seconds", "#duration|number#"}, {"note", "<fixed> & ##1"}}

func TestEnvelopes(t *testing.T) {
	for _, test := range []struct {
		name string
		soap SOAP
	}{
		{"soap11-document", SOAP{Operation: "EndCall", Namespace: "urn:calls", Action: "urn:calls/EndCall", Params: soapParams}},
		{"soap11-rpc", SOAP{Version: "1.1", Style: "rpc", Operation: "EndCall", Namespace: "urn:calls", Params: soapParams}},
		{"soap12-document", SOAP{Version: "1.2", Style: "document", Operation: "EndCall", Namespace: "urn:calls?a&b", Action: "urn:calls/#queue#", Params: soapParams}},
		{"soap12-rpc", SOAP{Version: "1.2", Style: "rpc", Operation: "EndCall", Namespace: "urn:calls", Params: soapParams}},
		{"soap11-no-namespace", SOAP{Operation: "EndCall"}},
		{"soap12-templates", SOAP{
			Version: "1.2",
			Header:  `<s:Session xmlns:s="urn:s" soap:mustUnderstand="true">#ani#</s:Session>`,
			Body:    "<c:EndCall xmlns:c=\"urn:calls\">\n  <agent name=\"#agent_username#\"/>\n</c:EndCall>",
		}},
		{"soap11-security-text", SOAP{Operation: "EndCall", Header: "<a/>", User: "relay&co", Password: "p<w>"}},
		{"soap12-security-digest", SOAP{Version: "1.2", Operation: "EndCall", User: "relay", Password: "p<w>", Digest: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := compile(t, Spec{URL: "https://example.com/soap", SOAP: &test.soap})
			if security := template.body.(*envelope).security; security != nil {
				security.random = strings.NewReader("0123456789abcdef")
			}
			req, err := template.Render(lookup(documentEvent), time.Date(2020, 4, 22, 2, 3, 9, 5000, time.FixedZone("", 7200)))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, test.name, "SOAPAction: "+req.SOAPAction+"\nContent-Type: "+req.ContentType+"\n\n"+string(req.Body)+"\n")
			for _, secret := range req.Mask {
				if !bytes.Contains(req.Body, []byte(">"+secret+"<")) {
					t.Errorf("mask %q is not in the body", secret)
				}
			}
		})
	}
}

func TestSecurityIsFreshEachTime(t *testing.T) {
	template := compile(t, Spec{SOAP: &SOAP{Operation: "o", User: "u", Password: "p", Digest: true}})
	seen := map[string]bool{}
	for range 10 {
		req, err := template.Render(lookup(nil), time.Unix(1587513600, 0))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Password string `xml:"Header>Security>UsernameToken>Password"`
			Nonce    string `xml:"Header>Security>UsernameToken>Nonce"`
		}
		decode(t, xml.Unmarshal(req.Body, &got))
		if seen[got.Nonce] || seen[got.Password] || strings.Contains(string(req.Body), ">p<") {
			t.Errorf("nonce %q or digest %q came before, or the password is told", got.Nonce, got.Password)
		}
		if len(req.Mask) != 1 || req.Mask[0] != got.Password {
			t.Errorf("mask = %q, want the digest %q", req.Mask, got.Password)
		}
		seen[got.Nonce], seen[got.Password] = true, true
	}
}

func TestSOAPProblems(t *testing.T) {
	for _, test := range []struct {
		name string
		soap SOAP
		want string
	}{
		{"control character in a parameter", SOAP{Operation: "o", Params: []Field{{"a", "\x01"}}}, "soap.params.a: the value holds U+0001"},
		{"filter in a parameter", SOAP{Operation: "o", Params: []Field{{"a", "#x|y#"}}}, "soap.params.a: 1:4: #x|y#: filter"},
		{"quote in the action", SOAP{Operation: "o", Action: `urn:"x`}, `soap.action: 1:5: '"' cannot stand in an action`},
		{"control character in the namespace", SOAP{Operation: "o", Namespace: "\x01"}, "soap.namespace: the value holds U+0001"},
		{"body that is no XML", SOAP{Body: "<a>"}, "soap.body: 1:4: not XML: unexpected EOF"},
		{"declaration in the body", SOAP{Body: "<?xml version='1.0'?><a/>"}, "soap.body: 1:1: an envelope holds no XML declaration"},
		{"undeclared prefix", SOAP{Body: "<a>\n<x:b/></a>"}, `soap.body: 2:1: not XML: prefix "x" is not declared`},
		{"undeclared prefix of an attribute", SOAP{Operation: "o", Header: "<a x:b='1'/>"}, `soap.header: 1:1: not XML: prefix "x" is not declared`},
		{"user", SOAP{Operation: "o", User: "\x01"}, "auth.wsse.user: the value holds U+0001"},
		{"password", SOAP{Operation: "o", User: "u", Password: "se\x01cret"}, "auth.wsse.password: the value holds U+0001"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := Compile(withURL(Spec{SOAP: &test.soap}))
			if len(problems) != 1 || !strings.Contains(problems[0].String(), test.want) {
				t.Errorf("problems = %v, want one: %s", problems, test.want)
			}
		})
	}
}
