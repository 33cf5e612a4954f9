package deliver

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"callrelay/relay/exchange"
)

const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"

	maxDepth = 64 // elements inside one another in an answer
)

// fault is a SOAP fault, of either version.
type fault struct {
	code    string // as sent, e.g. "soap:Server" or "env:Receiver"
	subcode string // all of them, separated by spaces; version 1.2 only
	reason  string
}

// held are the faults that are mended at the relay or by time, and not by
// another payload: all of WS-Security 1.0 and 1.1, and SOAP 1.1's own example.
var held = []string{
	"unsupportedsecuritytoken", "unsupportedalgorithm", "invalidsecurity", "invalidsecuritytoken",
	"failedauthentication", "failedcheck", "securitytokenunavailable", "messageexpired",
}

// sender reports whether the fault blames the request as it was written, so
// that the same bytes would be refused again. Refused credentials and clocks do
// not count.
func (f fault) sender() bool {
	names := strings.FieldsFunc(strings.ToLower(f.subcode+" "+f.code), func(r rune) bool { return r == ':' || r == '.' || r == ' ' })
	if slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(held, name) || strings.HasPrefix(name, "authentication")
	}) {
		return false
	}
	_, code, qualified := strings.Cut(f.code, ":")
	if !qualified {
		code = f.code
	}
	code, _, _ = strings.Cut(code, ".") // Client.Input is a Client fault
	return code == "Client" || code == "Sender"
}

func (f fault) String() string {
	return fmt.Sprintf("fault %s: %s", f.code, f.reason)
}

// readSOAP reads a SOAP answer, as far as it takes to know what it says: its
// fault, or nil when its body holds something else or nothing. So it reads
// answers that end early or are spoilt behind that. It returns an error for
// everything else: a DOCTYPE, another kind of document.
func readSOAP(answer []byte) (*fault, error) {
	r := soapReader{decoder: xml.NewDecoder(bytes.NewReader(plainXML(answer)))}
	r.decoder.Entity = xml.HTMLEntity
	for !r.done {
		token, err := r.decoder.Token()
		if err == nil {
			err = r.take(token)
		}
		switch {
		case err == nil:
		case r.fault != nil: // what was read of it counts
			return r.fault, nil
		case errors.Is(err, io.EOF) && r.version == "":
			return nil, errors.New("read soap answer: is empty")
		case errors.Is(err, io.EOF):
			return nil, errors.New("read soap answer: has no body")
		default:
			return nil, fmt.Errorf("read soap answer: %w", err)
		}
	}
	return r.fault, nil
}

// plainXML makes of any answer XML 1.0 in UTF-8, which the decoder takes: it
// leaves out the declaration, and what only XML 1.1 has a way to write.
func plainXML(answer []byte) []byte {
	answer = bytes.TrimLeft(answer, " \t\r\n")
	if bytes.HasPrefix(answer, []byte("<?xml")) {
		if _, rest, found := bytes.Cut(answer, []byte("?>")); found {
			answer = rest
		}
	}
	answer = bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == '\ufffe' || r == '\uffff' {
			return -1
		}
		return r
	}, answer)
	return bytes.ReplaceAll(answer, []byte("&#"), []byte("&amp;#")) // a character that XML 1.0 refuses stays its number
}

// soapReader collects from the tokens of an answer what judging it takes.
type soapReader struct {
	decoder *xml.Decoder
	version string   // namespace of the envelope
	path    []string // local names down to the element that is open
	fault   *fault
	into    *string // where the text of the element goes that is open; nil: nowhere
	done    bool    // the rest does not matter
}

func (r *soapReader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.Directive:
		return errors.New("has a DOCTYPE")
	case xml.StartElement:
		return r.open(t.Name)
	case xml.EndElement:
		// The end of the fault, or of a body that holds nothing.
		r.done = r.fault != nil && len(r.path) == 3 || len(r.path) == 2 && r.path[1] == "Body"
		r.path, r.into = r.path[:len(r.path)-1], nil
	case xml.CharData:
		return r.text(string(t))
	}
	return nil
}

func (r *soapReader) open(name xml.Name) error {
	r.into = nil
	switch depth := len(r.path); {
	case depth == 0 && r.version != "":
		return errors.New("has no body")
	case depth == 0:
		if name.Local != "Envelope" || (name.Space != soap11 && name.Space != soap12) {
			return fmt.Errorf("is no envelope but <%s>", exchange.Clip(name.Local))
		}
		r.version = name.Space
	case depth == 1 && name.Local == "Body" && name.Space != r.version:
		name.Local = "" // another one's
	case depth == 2 && r.path[1] == "Body":
		if r.done = !isFault(name); !r.done {
			r.fault = &fault{}
		}
	case depth == maxDepth:
		return errors.New("is nested too deep")
	case r.fault != nil && depth > 2:
		r.into = r.field(strings.Join(append(r.path[3:], name.Local), "/"))
	}
	r.path = append(r.path, name.Local)
	return nil
}

// isFault reports whether an element of the body is a fault: some servers leave
// out the namespace, or take that of the other version.
func isFault(name xml.Name) bool {
	return name.Local == "Fault" && (name.Space == "" || name.Space == soap11 || name.Space == soap12)
}

func (r *soapReader) text(text string) error {
	switch {
	case len(r.path) == 0 && strings.Trim(text, " \t\r\n\ufeff") != "":
		return errors.New("is no XML")
	case r.into != nil:
		*r.into = strings.TrimSpace(*r.into + text)
	}
	return nil
}

// field is where the text of an element of a fault belongs, by its path below
// the fault. Of several reasons it is the first.
func (r *soapReader) field(path string) *string {
	switch {
	case path == "faultcode" || path == "Code/Value":
		return &r.fault.code
	case strings.HasPrefix(path, "Code/Subcode/") && strings.HasSuffix(path, "/Value"):
		if r.fault.subcode != "" {
			r.fault.subcode += " "
		}
		return &r.fault.subcode
	case (path == "faultstring" || path == "Reason/Text") && r.fault.reason == "":
		return &r.fault.reason
	}
	return nil
}
