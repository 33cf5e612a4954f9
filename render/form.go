package render

// form is a list of named values, written name=value&name=value in the order of
// the file: the body of a form, or what is added to a URL's query.
type form struct {
	fields []formField
	script bool // add the members of the event's script
	place  place
}

type formField struct {
	name  string // escaped, with = behind it
	plain string
	value sequence
}

// query compiles what is added to the URL: query, and params where the method
// has no body. It is nil when there is nothing to add.
func (c *compiler) query(s Spec) *form {
	f := c.form("query", s.Query, inPercent)
	if s.SOAP == nil && s.Body == "params" && bodiless(s.Method) {
		params := c.form("params", s.Params, inPercent)
		f.fields = append(f.fields, params.fields...)
		f.script = s.AllScriptData
	}
	if len(f.fields) == 0 && !f.script {
		return nil
	}
	return f
}

// form compiles fields whose keys begin with key.
func (c *compiler) form(key string, fields []Field, at place) *form {
	f := &form{place: at}
	for _, field := range fields {
		full := key + "." + field.Name
		c.name(full, field.Name)
		name, _ := at.append(nil, field.Name)
		escape := func(s string) string {
			escaped, _ := at.append(nil, s)
			return string(escaped)
		}
		value := c.source(full, field.Value).all(site{place: at, literal: escape, whole: true})
		f.fields = append(f.fields, formField{name: string(name) + "=", plain: field.Name, value: value})
	}
	return f
}

// bodiless reports whether params go into the query for a method.
func bodiless(method string) bool {
	return method == "GET" || method == "DELETE" || method == "HEAD"
}

func (f *form) static() bool {
	for _, field := range f.fields {
		if !field.value.static() {
			return false
		}
	}
	return !f.script
}

func (f *form) size() int {
	n := 0
	for _, field := range f.fields {
		n += len(field.name) + field.value.size() + 1
	}
	return n
}

// append renders the fields, joined by &.
func (f *form) append(dst []byte, r *run) ([]byte, error) {
	start := len(dst)
	var err error
	for i := range f.fields {
		before := len(dst)
		if before > start {
			dst = append(dst, '&')
		}
		dst = append(dst, f.fields[i].name...)
		if dst, err = f.fields[i].value.append(dst, r); err != nil {
			return dst, err
		}
		if r != nil && r.omitted {
			dst, r.omitted = dst[:before], false
		}
	}
	if !f.script {
		return dst, nil
	}
	return f.appendScript(dst, start, r)
}

// appendQuery renders the fields behind the query that begins at start of dst,
// if there is one.
func (f *form) appendQuery(dst []byte, start int, r *run) ([]byte, error) {
	before := len(dst)
	switch {
	case before == start:
		dst = append(dst, '?')
	case dst[before-1] != '?' && dst[before-1] != '&':
		dst = append(dst, '&')
	}
	fields := len(dst)
	dst, err := f.append(dst, r)
	if len(dst) == fields {
		dst = dst[:before]
	}
	return dst, err
}

// appendScript adds the members of the script that no field is named like.
func (f *form) appendScript(dst []byte, start int, r *run) ([]byte, error) {
	members, err := r.script()
	if err != nil {
		return dst, err
	}
	for _, m := range members {
		if f.has(m.name) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst, _ = f.place.append(dst, m.name)
		dst = append(dst, '=')
		dst, _ = f.place.append(dst, m.text())
	}
	return dst, nil
}

func (f *form) has(name string) bool {
	for i := range f.fields {
		if f.fields[i].plain == name {
			return true
		}
	}
	return false
}
