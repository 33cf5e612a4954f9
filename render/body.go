package render

// body compiles what is sent after the headers; nil for nothing.
func (c *compiler) body(s Spec) body {
	switch s.Body {
	case "":
		return nil
	case "params":
		if bodiless(s.Method) {
			return nil // they are in the query
		}
		f := c.form("params", s.Params, inForm)
		f.script = s.AllScriptData
		return f
	case "json":
		return c.json(s.Text, s.AllScriptData)
	case "xml":
		return c.document("xml", s.Text)
	case "text":
		return c.source("text", s.Text).all(site{place: inText})
	default:
		c.problem("body", "%q is not a body (params json xml text)", s.Body)
		return nil
	}
}
