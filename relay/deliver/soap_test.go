package deliver

import (
	"strings"
	"testing"
	"time"

	"callrelay/relay/exchange"
)

const (
	envelope11 = `<?xml version="1.0" encoding="utf-8"?>` + "\n" +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>%</soap:Body></soap:Envelope>`
	envelope12 = `<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Header/><env:Body>%</env:Body></env:Envelope>`
)

func in(envelope, body string) string { return strings.Replace(envelope, "%", body, 1) }

func fault11(code string) string {
	return in(envelope11, "<soap:Fault><faultcode>"+code+"</faultcode><faultstring>no such agent &amp; so on</faultstring><detail><a>b</a></detail></soap:Fault>")
}

func fault12(code, sub string) string {
	return in(envelope12, "<env:Fault><env:Code><env:Value>"+code+"</env:Value>"+sub+"</env:Code><env:Reason><env:Text xml:lang='en'>no such agent</env:Text><env:Text xml:lang='de'>nein</env:Text></env:Reason></env:Fault>")
}

func TestJudgeOfEnvelopes(t *testing.T) {
	j := defaults(t, true)
	j.strict = true
	for _, test := range []struct {
		name   string
		status int
		body   string
		class  string
		err    string // part of it
		want   Outcome
	}{
		{"an answer of 1.1", 200, in(envelope11, "<ok/>"), "2xx", "", Delivered},
		{"an answer of 1.2", 200, in(envelope12, "<ok/>"), "2xx", "", Delivered},
		{"an empty body", 200, in(envelope11, ""), "2xx", "", Delivered},
		{"a byte order mark", 200, "\ufeff" + in(envelope11, "<ok/>"), "2xx", "", Delivered},
		{"an old encoding", 200, "<?xml version='1.0' encoding='ISO-8859-1'?>" + in(envelope12, "<ok>\xfc</ok>"), "2xx", "", Delivered},
		{"one way, accepted", 202, "", "2xx", "", Delivered},
		{"one way, no content", 204, "", "2xx", "", Delivered},
		{"a server fault", 500, fault11("soap:Server"), "fault", "fault soap:Server: no such agent & so on", Retry},
		{"a server fault under 200", 200, fault11("soap:Server"), "fault", "soap:Server", Retry},
		{"a server fault with more behind the dot", 500, fault11("soap:Server.Busy"), "fault", "Server.Busy", Retry},
		{"a client fault", 500, fault11("soap:Client"), "fault", "no such agent & so on", Dead},
		{"a client fault under 200", 200, fault11("soap:Client"), "fault", "no such agent", Dead},
		{"a client fault without a prefix", 500, fault11("Client"), "fault", "no such agent", Dead},
		{"a client fault with more behind the dot", 500, fault11("soap:Client.Input"), "fault", "no such agent", Dead},
		{"another fault of 1.1", 500, fault11("soap:MustUnderstand"), "fault", "MustUnderstand", Retry},
		{"a receiver fault", 500, fault12("env:Receiver", ""), "fault", "fault env:Receiver: no such agent", Retry},
		{"a sender fault", 400, fault12("env:Sender", ""), "fault", "fault env:Sender: no such agent", Dead},
		{"refused credentials, 1.2", 400, fault12("env:Sender", "<env:Subcode><env:Value xmlns:w='w'>w:FailedAuthentication</env:Value></env:Subcode>"), "fault", "no such agent", Retry},
		{"refused credentials, 1.1", 500, fault11("wsse:FailedAuthentication"), "fault", "FailedAuthentication", Retry},
		{"refused credentials by status", 401, fault11("soap:Client"), "4xx", "status 401", Retry},
		{"a gateway away", 503, "<html>away</html>", "5xx", "status 503: <html>away", Retry},
		{"cut off", 200, in(envelope11, "<ok/>")[:120], "fault", "unexpected EOF", Retry},
		{"cut off within the body", 200, in(envelope11, "<ok/>")[:145], "2xx", "", Delivered},
		{"cut off within a fault", 500, fault11("soap:Client")[:190], "fault", "fault soap:Client", Dead},
		{"a DOCTYPE", 200, "<!DOCTYPE x [<!ENTITY a 'b'>]>" + in(envelope12, "<ok/>"), "fault", "has a DOCTYPE", Retry},
		{"a page", 200, "<html><body>please log in</body></html>", "fault", "is no envelope but <html>", Retry},
		{"a page with a client's status", 400, "<html><body>bad</body></html>", "fault", "is no envelope", Retry},
		{"an envelope of nothing known", 200, "<Envelope xmlns='urn:x'><Body/></Envelope>", "fault", "is no envelope", Retry},
		{"an envelope without a body", 200, `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header/></e:Envelope>`, "fault", "has no body", Retry},
		{"a body of another version", 200, `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:o="http://schemas.xmlsoap.org/soap/envelope/"><o:Body/></e:Envelope>`, "fault", "has no body", Retry},
		{"text behind it", 200, in(envelope12, "") + " hello\x00", "2xx", "", Delivered},
		{"text in front of it", 200, "<br />\n<b>Notice</b>" + in(envelope12, ""), "fault", "is no envelope but <br>", Retry},
		{"no body at all, and another document", 200, `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"/>` + in(envelope12, ""), "fault", "has no body", Retry},
		{"JSON", 200, `{"ok":true}`, "fault", "is no XML", Retry},
		{"nothing", 200, "", "2xx", "", Delivered},
		{"nothing but blanks", 201, "\r\n ", "2xx", "", Delivered},
		{"nothing, and an error", 500, "", "fault", "is empty", Retry},
		{"accepted, with a text", 202, "Accepted", "2xx", "", Delivered},
		{"accepted, with a page", 202, "<html><body>Accepted</body></html>", "2xx", "", Delivered},
		{"blank lines in front and a comment behind", 200, "\n\n" + in(envelope11, "<ok/>") + "<!-- 3 ms -->\n", "2xx", "", Delivered},
		{"XML 1.1", 200, strings.Replace(in(envelope11, "<ok>&#x1;\x1e</ok>"), "1.0", "1.1", 1), "2xx", "", Delivered},
		{"a character that XML has no way to write, in front of the body", 200, strings.Replace(in(envelope12, "<ok/>"), "<env:Header/>", "<env:Header>L&#x1E;ee \x02</env:Header>", 1), "2xx", "", Delivered},
		{"the same in a fault", 500, strings.Replace(fault11("soap:Client"), "<faultcode>", "<!-- \x01 --><faultcode>", 1), "fault", "no such agent", Dead},
		{"an entity of its own", 200, in(envelope11, "<ok>&boom;</ok>"), "2xx", "", Delivered},
		{"an entity of HTML in a fault", 500, strings.Replace(fault11("soap:Client"), "&amp;", "&nbsp;&uuml;", 1), "fault", "no such agent", Dead},
		{"nested deep", 200, in(envelope11, strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)), "2xx", "", Delivered},
		{"nested deep in front of the body", 200, strings.Replace(in(envelope12, ""), "<env:Header/>", "<env:Header>"+strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)+"</env:Header>", 1), "fault", "nested too deep", Retry},
		{"a fault without a namespace", 200, in(envelope11, "<Fault><faultcode>Server</faultcode><faultstring>x</faultstring></Fault>"), "fault", "fault Server: x", Retry},
		{"a fault of the other version", 200, in(envelope11, `<f:Fault xmlns:f="http://www.w3.org/2003/05/soap-envelope"><f:Code><f:Value>f:Receiver</f:Value></f:Code></f:Fault>`), "fault", "f:Receiver", Retry},
		{"an element of the application's own", 200, in(envelope11, `<Fault xmlns="urn:x"><faultcode>Client</faultcode></Fault>`), "2xx", "", Delivered},
		{"a comment within a code", 500, fault11("soap:<!-- x -->Client"), "fault", "soap:Client", Dead},
		{"a CDATA section as a code", 500, fault11("<![CDATA[soap:Client]]>"), "fault", "soap:Client", Dead},
		{"a fault that says nothing", 200, in(envelope11, "<soap:Fault/>"), "fault", "fault", Retry},
		{"refused credentials as SOAP 1.1 writes them", 500, fault11("soap:Client.Authentication"), "fault", "Client.Authentication", Retry},
		{"refused credentials with more to it", 500, fault11("Client.AuthenticationFailed"), "fault", "AuthenticationFailed", Retry},
		{"a code of WS-Security behind a dot", 500, fault11("soap:Client.FailedAuthentication"), "fault", "FailedAuthentication", Retry},
		{"a code of WS-Security, 1.1", 500, fault11("wsse:MessageExpired"), "fault", "MessageExpired", Retry},
		{"a subcode within a subcode", 400, fault12("env:Sender", "<env:Subcode><env:Value>x:y</env:Value><env:Subcode><env:Value>w:InvalidSecurityToken</env:Value></env:Subcode></env:Subcode>"), "fault", "no such agent", Retry},
		{"a subcode that is none of those", 400, fault12("env:Sender", "<env:Subcode><env:Value>x:y</env:Value></env:Subcode>"), "fault", "no such agent", Dead},
		{"an encoding nobody knows", 200, "<?xml version='1.0' encoding='EBCDIC'?>" + in(envelope12, ""), "fault", "EBCDIC", Retry},
		{"a good envelope under a refusing status", 422, in(envelope11, "<ok/>"), "4xx", "status 422", Dead},
		{"a good envelope under 500", 500, in(envelope11, "<ok/>"), "5xx", "status 500", Retry},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := j.answer(exchange.Reply{Status: test.status, Body: []byte(test.body)}, time.Now())
			if v.outcome != test.want || v.class != test.class || !strings.Contains(v.err, test.err) || (test.want == Delivered) != (v.err == "") {
				t.Errorf("got %s %s %q, want %s %s %q", v.outcome, v.class, v.err, test.want, test.class, test.err)
			}
		})
	}
}

// All codes of WS-Security speak of credentials and clocks.
func TestFaultsOfWSSecurityHoldTheBacklog(t *testing.T) {
	j := defaults(t, true)
	for _, code := range []string{
		"UnsupportedSecurityToken", "UnsupportedAlgorithm", "InvalidSecurity", "InvalidSecurityToken",
		"FailedAuthentication", "FailedCheck", "SecurityTokenUnavailable", "MessageExpired",
	} {
		for _, body := range []string{fault12("env:Sender", "<env:Subcode><env:Value>w:"+code+"</env:Value></env:Subcode>"), fault11("w:" + code)} {
			if v := j.answer(exchange.Reply{Status: 500, Body: []byte(body)}, time.Now()); v.outcome != Retry {
				t.Errorf("%s = %s, want retry", code, v.outcome)
			}
		}
	}
}

func TestUnreadableAnswersAreAChoice(t *testing.T) {
	j := defaults(t, true)
	for name, body := range map[string]string{
		"a page": "<html><body>thank you</body></html>", "JSON": `{"ok":true}`, "half an envelope": in(envelope11, "")[:100],
		"an unknown charset": "<?xml version='1.0' encoding='EBCDIC'?>" + in(envelope12, ""),
	} {
		for strict, want := range map[bool]Outcome{false: Delivered, true: Retry} {
			j.strict = strict
			if v := j.answer(exchange.Reply{Status: 200, Body: []byte(body)}, time.Now()); v.outcome != want {
				t.Errorf("%s, strict %v = %s %s, want %s", name, strict, v.outcome, v.err, want)
			}
			if v := j.answer(exchange.Reply{Status: 500, Body: []byte(body)}, time.Now()); v.outcome != Retry {
				t.Errorf("%s under 500 = %s", name, v.outcome)
			}
		}
	}
}

// The beginning of an answer that is longer than is read says what it is.
func TestLongAnswersAreJudgedByTheirBeginning(t *testing.T) {
	j := defaults(t, true)
	j.strict = true
	long := strings.Repeat("x", 70_000)
	for body, want := range map[string]Outcome{
		in(envelope11, "<ok>"+long+"</ok>"):                                                               Delivered,
		strings.Replace(fault11("soap:Client"), "<a>b</a>", long, 1):                                      Dead,
		strings.Replace(fault11("soap:Server"), "<a>b</a>", long, 1):                                      Retry,
		strings.Replace(in(envelope12, "<ok/>"), "<env:Header/>", "<env:Header>"+long+"</env:Header>", 1): Retry,
	} {
		if v := j.answer(exchange.Reply{Status: 200, Body: []byte(body[:64<<10]), Cut: true}, time.Now()); v.outcome != want {
			t.Errorf("%.160q = %s %s, want %s", body, v.outcome, v.err, want)
		}
	}
}

func FuzzReadSOAP(f *testing.F) {
	for _, seed := range []string{
		in(envelope11, "<ok/>"), in(envelope12, "<ok>&#x10FFFF;</ok>"), fault11("soap:Client"),
		fault12("env:Sender", "<env:Subcode><env:Value>x</env:Value></env:Subcode>"),
		"<a", "<!DOCTYPE a>", "<?xml version='1.0' encoding='latin1'?><a>\xff</a>", "", "]]>", "<a></b>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := readSOAP(answer)
		_, _ = content(exchange.Reply{Body: answer, Header: fieldsOf("Content-Type", string(answer[:len(answer)/2]), "Content-Encoding", "gzip, deflate")}, 1<<10)
		if got != nil && err != nil {
			t.Errorf("both a fault and an error: %v, %v", got, err)
		}
		if err == nil && got == nil && !strings.Contains(strings.Map(printable, string(answer)), "Envelope") {
			t.Errorf("taken for an envelope: %q", answer)
		}
	})
}

func printable(r rune) rune {
	if r < ' ' {
		return -1
	}
	return r
}
