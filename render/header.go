package render

import "strings"

// headers compiles the header fields.
func (c *compiler) headers(fields []Field) []header {
	var headers []header
	seen := map[string]bool{}
	for _, f := range fields {
		key := "headers." + f.Name
		lower := strings.ToLower(f.Name)
		switch {
		case !validHeader(f.Name):
			c.problem(key, "%q is not a header name (letters, digits and !#$%%&'*+-.^_`|~)", f.Name)
		case seen[lower]:
			c.problem(key, "the header is given twice")
		case lower == "content-type":
			c.problem(key, "it is set by content_type")
		}
		seen[lower] = true
		headers = append(headers, header{f.Name, c.headerValue(key, f.Value)})
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

// validHeader reports whether name is a token of RFC 9110.
func validHeader(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !unreserved(c) && strings.IndexByte("!#$%&'*+^`|", c) < 0 {
			return false
		}
	}
	return name != ""
}
