package render

// bodyKind is a kind of body that a [Spec] may have.
type bodyKind struct {
	name        string
	contentType string // where none is given
	compile     func(c *compiler, s Spec) body
}

var bodyKinds = []bodyKind{
	{"params", "application/x-www-form-urlencoded", (*compiler).params},
	{"json", "application/json", (*compiler).jsonBody},
	{"xml", "application/xml; charset=utf-8", (*compiler).xmlBody},
	{"text", "text/plain; charset=utf-8", (*compiler).textBody},
	{"multipart", formData, compileMultipart},
	{"file", "", compileFile}, // the file's
}

// formData is the type of a form with files, which its boundary follows.
const formData = "multipart/form-data"

// BodyKinds returns what the Body of a [Spec] may be.
func BodyKinds() []string {
	names := make([]string, len(bodyKinds))
	for i, k := range bodyKinds {
		names[i] = k.name
	}
	return names
}

// body compiles what is sent after the headers, and returns its content type;
// nil for nothing.
func (c *compiler) body(s Spec) (body, string) {
	for _, k := range bodyKinds {
		if k.name == s.Body {
			return k.compile(c, s), k.contentType
		}
	}
	return nil, ""
}

// params are a form; where the method has no body, they are in the query.
func (c *compiler) params(s Spec) body {
	if bodiless(s.Method) {
		return nil
	}
	f := c.form("params", s.Params, inForm)
	f.script = s.AllScriptData
	return f
}

func (c *compiler) jsonBody(s Spec) body { return c.json("json", s.Text, s.AllScriptData) }

func (c *compiler) xmlBody(s Spec) body { return c.document("xml", s.Text) }

func (c *compiler) textBody(s Spec) body { return c.source("text", s.Text).all(site{place: inText}) }
