package config

// fields decodes a table of named templates, in the order of the file.
func (f *file) fields(at place, key string, value any, dst *[]Field) {
	values, ok := value.(map[string]any)
	if !ok {
		f.report(at, key, "%s is %s, not a table", key, kind(value))
		return
	}
	*dst = make([]Field, 0, len(values))
	for _, name := range f.names(at.in(key), values) {
		text, err := parseName(values[name])
		if err != nil {
			f.report(at.in(key), name, "%s is %s, not text", name, kind(values[name]))
			continue
		}
		*dst = append(*dst, Field{name, text})
	}
}

// where decodes a table of tags with the values that pass. A tag with dots may
// be written as tables in tables.
func (f *file) where(at place, key string, value any, dst *[]Where) {
	values, ok := value.(map[string]any)
	if !ok {
		f.report(at, key, "%s is %s, not a table", key, kind(value))
		return
	}
	for _, tag := range f.names(at.in(key), values) {
		f.whereTag(at.in(key), tag, tag, values[tag], dst)
	}
}

func (f *file) whereTag(at place, key, tag string, value any, dst *[]Where) {
	if values, ok := value.(map[string]any); ok {
		for _, name := range f.names(at.in(key), values) {
			f.whereTag(at.in(key), name, tag+"."+name, values[name], dst)
		}
		return
	}
	w := Where{Tag: tag}
	list(f, at, key, value, &w.Values, parseName, true)
	*dst = append(*dst, w)
}

// names returns the keys of a table in the order of the file.
func (f *file) names(at place, values map[string]any) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	f.index.sort(join(at.path, at.key), names)
	return names
}
