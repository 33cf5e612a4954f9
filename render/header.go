package render

import "strings"

// headers compiles the header fields, whose names are sent as they are.
func (c *compiler) headers(fields []Field) []header {
	headers := make([]header, len(fields))
	for i, f := range fields {
		headers[i] = header{f.Name, c.headerValue("headers."+f.Name, f.Value)}
	}
	return headers
}

// headerValue compiles a template whose tags stand in a header.
func (c *compiler) headerValue(key, text string) sequence {
	if _, err := inHeader.append(nil, text); err != nil {
		c.problem(key, "%v", err)
	}
	return c.source(key, text).all(site{place: inHeader, whole: strings.HasPrefix(key, "headers.")})
}

// contentType compiles the content type: the one given, else the body's own.
func (c *compiler) contentType(t *Template, s Spec, own string) sequence {
	_, t.parted = t.body.(*multipart)
	if f, ok := t.body.(*fileBody); ok && s.ContentType == "" {
		t.file = f.name
	}
	if media := strings.ToLower(s.ContentType); t.parted && media != "" && (!strings.HasPrefix(media, "multipart/") || strings.Contains(media, ";")) {
		c.problem("content_type", "%q cannot go with multipart (such as %s, without a boundary)", s.ContentType, formData)
	}
	if s.ContentType != "" {
		return c.headerValue("content_type", s.ContentType)
	}
	if s.SOAP != nil || t.body == nil {
		return t.contentType // what the version of SOAP prescribes, or none
	}
	return sequence{}.literal(own)
}
