package render

import (
	"fmt"
	"time"
)

// Spec is what [Compile] makes a [Template] of: the parts of a service that
// decide what is sent. Names, of headers and elements, and the choices among few
// words are taken as they are: whoever reads the configuration has checked them.
type Spec struct {
	Method  string
	URL     string
	Headers []Field
	Query   []Field // added to the URL
	Params  []Field // the form, when Body is "params" or "multipart"; of params, with GET and DELETE, added to the URL too

	Body        string // one of [BodyKinds], or empty for none
	Text        string // the template of a json, xml, text or file body
	ContentType string // empty: the body's own

	Zone    *time.Location // times are rendered in it; nil: UTC
	TimesIn *time.Location // times without a zone are read in it; nil: UTC
	Times   []string       // the tags that hold times: they go out in the form [ANSI] where no filter says otherwise

	Files   []string // the tags that stand for files: of each, #tag# is the file's name and #tag.type# its media type; absent: there is none
	Encoded []string // the tags that stand for files in base64

	AllScriptData bool              // add every member of the event's script object to params, multipart or json
	Mappings      map[string]string // exact value to replacement; nil: off
	Reject        bool              // a tag the event lacks or has as null is an [Error], unless it has a default
	Secrets       map[string]string // of the filter hmac, by name
	Claims        string            // a JSON template: the claims of a token; empty: none
	SOAP          *SOAP             // nil: plain HTTP; else Body is not used
}

// Field is one named value of a form, a query or the headers; its value is a template.
type Field struct {
	Name  string
	Value string
}

// SOAP describes the envelope of a SOAP call. Its body is either Body or the
// operation with Params.
type SOAP struct {
	Version   string // 1.1 (also when empty) or 1.2
	Style     string // document (also when empty) or rpc
	Operation string
	Namespace string
	Action    string  // a template
	Header    string  // an XML template: header blocks, may be empty
	Body      string  // an XML template: the children of the SOAP body
	Params    []Field // the operation's parameters, in order

	User     string // WS-Security UsernameToken when not empty
	Password string
	Digest   bool // send a digest of the password, not the password
}

// Problem is a mistake in a [Spec].
type Problem struct {
	Key  string // where: url, json, headers.X-Account, soap.params.name
	Text string // what, beginning with line:column in the template where that is known

	Filter string // the one that was written and is none of [Filters]; empty: it is something else
}

func (p Problem) String() string { return p.Key + ": " + p.Text }

// Error is why an event could not be rendered. The same event and template fail
// the same way again.
type Error struct {
	Key  string // as in [Problem]
	Tag  string // as written, #name|filter#; empty when no single tag is to blame
	Text string
}

func (e *Error) Error() string {
	if e.Tag == "" {
		return fmt.Sprintf("render %s: %s", e.Key, e.Text)
	}
	return fmt.Sprintf("render %s: %s: %s", e.Key, e.Tag, e.Text)
}
