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
		{"cut off behind the body", 200, strings.TrimSuffix(in(envelope11, "<ok/>"), "</soap:Envelope>"), "fault", "unexpected EOF", Retry},
		{"a DOCTYPE", 200, "<!DOCTYPE x [<!ENTITY a 'b'>]>" + in(envelope12, "<ok/>"), "fault", "has a DOCTYPE", Retry},
		{"a page", 200, "<html><body>please log in</body></html>", "fault", "is no envelope but <html>", Retry},
		{"a page with a client's status", 400, "<html><body>bad</body></html>", "fault", "is no envelope", Retry},
		{"an envelope of nothing known", 200, "<Envelope xmlns='urn:x'><Body/></Envelope>", "fault", "is no envelope", Retry},
		{"an envelope without a body", 200, `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header/></e:Envelope>`, "fault", "has no body", Retry},
		{"a body of another version", 200, `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:o="http://schemas.xmlsoap.org/soap/envelope/"><o:Body/></e:Envelope>`, "fault", "has no body", Retry},
		{"two documents", 200, in(envelope12, "") + in(envelope12, ""), "fault", "goes on after its envelope", Retry},
		{"text behind it", 200, in(envelope12, "") + " hello", "fault", "is no XML", Retry},
		{"JSON", 200, `{"ok":true}`, "fault", "is no XML", Retry},
		{"nothing", 200, "", "fault", "is empty", Retry},
		{"an entity of its own", 200, in(envelope11, "<ok>&boom;</ok>"), "fault", "invalid character entity", Retry},
		{"nested deep", 200, in(envelope11, strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)), "fault", "nested too deep", Retry},
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

func TestAnAnswerLongerThanIsReadIsNoSuccess(t *testing.T) {
	j := defaults(t, true)
	if v := j.answer(exchange.Reply{Status: 200, Body: []byte(in(envelope11, "<ok/>")), Cut: true}, time.Now()); v.outcome != Retry {
		t.Errorf("outcome = %s, want retry", v.outcome)
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
		if got != nil && err != nil {
			t.Errorf("both a fault and an error: %v, %v", got, err)
		}
		if err == nil && !strings.Contains(string(answer), "Envelope") {
			t.Errorf("taken for an envelope: %q", answer)
		}
	})
}
