package deliver

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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
	subcode string // the first one, version 1.2 only
	reason  string
}

// sender reports whether the fault blames the request as it was written, so
// that the same bytes would be refused again. Refused credentials do not count:
// they are mended in the configuration.
func (f fault) sender() bool {
	if strings.Contains(f.subcode, "FailedAuthentication") || strings.Contains(f.subcode, "InvalidSecurity") {
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

// readSOAP reads a whole SOAP answer. It returns its fault, or nil when there
// is none, and an error for everything that is not one complete envelope with a
// body: text that ends early, a DOCTYPE, another kind of document.
func readSOAP(answer []byte) (*fault, error) {
	r := soapReader{decoder: xml.NewDecoder(bytes.NewReader(answer))}
	r.decoder.CharsetReader = latinReader
	for {
		token, err := r.decoder.Token()
		if errors.Is(err, io.EOF) {
			return r.end()
		}
		if err != nil {
			return nil, fmt.Errorf("read soap answer: %w", err)
		}
		if err := r.take(token); err != nil {
			return nil, fmt.Errorf("read soap answer: %w", err)
		}
	}
}

// soapReader collects from the tokens of an answer what judging it takes.
type soapReader struct {
	decoder *xml.Decoder
	version string   // namespace of the envelope
	path    []string // local names down to the element that is open
	body    bool
	fault   *fault
}

func (r *soapReader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.Directive:
		return errors.New("has a DOCTYPE")
	case xml.StartElement:
		return r.open(t.Name)
	case xml.EndElement:
		r.path = r.path[:len(r.path)-1]
	case xml.CharData:
		return r.text(string(t))
	}
	return nil
}

func (r *soapReader) open(name xml.Name) error {
	switch depth := len(r.path); {
	case depth == 0 && r.version != "":
		return errors.New("goes on after its envelope")
	case depth == 0:
		if name.Local != "Envelope" || (name.Space != soap11 && name.Space != soap12) {
			return fmt.Errorf("is no envelope but <%s>", exchange.Clip(name.Local))
		}
		r.version = name.Space
	case depth == 1 && name.Local == "Body" && name.Space == r.version:
		r.body = true
	case depth == 2 && r.path[1] == "Body" && name.Local == "Fault" && name.Space == r.version:
		r.fault = &fault{}
	case depth == maxDepth:
		return errors.New("is nested too deep")
	}
	r.path = append(r.path, name.Local)
	return nil
}

func (r *soapReader) text(text string) error {
	if len(r.path) == 0 {
		if strings.Trim(text, " \t\r\n\ufeff") != "" {
			return errors.New("is no XML")
		}
		return nil
	}
	if r.fault == nil || len(r.path) < 4 {
		return nil
	}
	field := r.field(strings.Join(r.path[3:], "/"))
	if field != nil && *field == "" {
		*field = strings.TrimSpace(text)
	}
	return nil
}

// field is where the text of an element of a fault belongs, by its path below
// the fault.
func (r *soapReader) field(path string) *string {
	switch path {
	case "faultcode", "Code/Value":
		return &r.fault.code
	case "Code/Subcode/Value":
		return &r.fault.subcode
	case "faultstring", "Reason/Text":
		return &r.fault.reason
	}
	return nil
}

func (r *soapReader) end() (*fault, error) {
	switch {
	case r.version == "":
		return nil, errors.New("read soap answer: is empty")
	case !r.body:
		return nil, errors.New("read soap answer: has no body")
	}
	return r.fault, nil
}

// latinReader lets the decoder read the one-byte encodings that old servers
// still declare. Others are refused.
func latinReader(charset string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "us-ascii", "iso-8859-1", "latin1", "windows-1252":
	default:
		return nil, fmt.Errorf("is written in %s", exchange.Clip(charset))
	}
	raw, err := io.ReadAll(input)
	if err != nil {
		return nil, err
	}
	text := make([]rune, len(raw))
	for i, b := range raw {
		text[i] = rune(b)
	}
	return strings.NewReader(string(text)), nil
}
