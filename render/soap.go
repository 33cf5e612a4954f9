package render

import "unicode"

// The namespaces of the envelopes.
const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"

	soapPrefix = "soap" // of theirs, in the envelope
)

// envelope is a compiled SOAP message. Header and body templates may use its
// prefix soap.
type envelope struct {
	head     sequence
	security *security // nil: none; else it stands between head and rest
	rest     sequence
}

// soapCompiler compiles the messages of a SOAP service.
type soapCompiler struct{ *compiler }

// soap compiles the envelope and the headers that go with it.
func (c soapCompiler) soap(t *Template, s Spec) {
	def := *s.SOAP
	namespace := soap11
	if def.Version == "1.2" {
		namespace = soap12
		t.contentType = sequence{}.literal("application/soap+xml; charset=utf-8")
		if def.Action != "" {
			t.contentType = t.contentType.literal(`; action="`).join(c.action(def.Action)).literal(`"`)
		}
	} else {
		t.soapAction = sequence{}.literal(`"`).join(c.action(def.Action)).literal(`"`)
		t.contentType = sequence{}.literal("text/xml; charset=utf-8")
	}
	t.body = c.envelope(def, namespace)
}

func (c soapCompiler) envelope(def SOAP, namespace string) *envelope {
	e := &envelope{}
	e.head = e.head.literal(`<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<soap:Envelope xmlns:soap="` + namespace + `">`)
	header := c.elements("soap.header", def.Header)
	e.security = c.security(def)
	if len(header) > 0 || e.security != nil {
		e.head = e.head.literal("<soap:Header>")
		e.rest = e.rest.join(header).literal("</soap:Header>")
	}
	e.rest = e.rest.literal("<soap:Body>").join(c.soapBody(def)).literal("</soap:Body></soap:Envelope>")
	return e
}

// soapBody compiles the children of the body: the template, or the operation
// with its parameters.
func (c soapCompiler) soapBody(def SOAP) sequence {
	if def.Body != "" {
		return c.elements("soap.body", def.Body)
	}
	start, end := c.wrapper(def)
	seq := sequence{}.literal(start)
	for _, p := range def.Params {
		key := "soap.params." + p.Name
		value := c.source(key, p.Value).all(site{place: inXML, literal: c.xmlText(key), whole: true})
		seq = seq.literal("<" + p.Name + ">").join(value).literal("</" + p.Name + ">")
	}
	return seq.literal(end)
}

// wrapper gives the tags of the operation's element. In the rpc style it alone
// is in the namespace; in the document style its parameters are too.
func (c soapCompiler) wrapper(def SOAP) (start, end string) {
	namespace := c.attribute("soap.namespace", def.Namespace)
	switch {
	case namespace == "":
		return "<" + def.Operation + ">", "</" + def.Operation + ">"
	case def.Style == "rpc":
		return "<m:" + def.Operation + ` xmlns:m="` + namespace + `">`, "</m:" + def.Operation + ">"
	default:
		return "<" + def.Operation + ` xmlns="` + namespace + `">`, "</" + def.Operation + ">"
	}
}

// xmlText escapes a literal that the file gives as plain text.
func (c *compiler) xmlText(key string) func(string) string {
	return func(s string) string {
		dst, err := appendXML(nil, s, false)
		if err != nil {
			c.problem(key, "%v", err)
		}
		return string(dst)
	}
}

// attribute escapes a fixed attribute value.
func (c *compiler) attribute(key, s string) string {
	dst, err := appendXML(nil, s, true)
	if err != nil {
		c.problem(key, "%v", err)
	}
	return string(dst)
}

// action compiles the SOAP action, a URI between quotes: values are
// percent-encoded, and the template may hold nothing that would end the quotes.
func (c soapCompiler) action(text string) sequence {
	for i, r := range text {
		if r <= ' ' || r == '"' || r == '\\' || r > unicode.MaxASCII || r == 0x7f {
			c.source("soap.action", text).problemAt(i, "%q cannot stand in an action", r)
		}
	}
	return c.source("soap.action", text).all(site{place: inPercent})
}

func (e *envelope) size() int {
	const token = 900 // a UsernameToken, about
	n := e.head.size() + e.rest.size()
	if e.security != nil {
		n += token
	}
	return n
}

// append renders the envelope.
func (e *envelope) append(dst []byte, r *run) ([]byte, error) {
	dst, err := e.head.append(dst, r)
	if err != nil {
		return dst, err
	}
	if e.security != nil {
		dst = e.security.append(dst, r)
	}
	return e.rest.append(dst, r)
}
