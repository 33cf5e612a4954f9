package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// fields decodes a table of named templates, in the order of the file. The value
// of a field may be a secret table where secrets says so.
func (f decoder) fields(at place, key string, value any, dst *[]Field, secrets bool) {
	values, ok := value.(map[string]any)
	if !ok {
		f.report(at, key, "%s is %s, not a table", key, kind(value))
		return
	}
	*dst = make([]Field, 0, len(values))
	for _, name := range f.names(at.in(key), values) {
		field := Field{Name: name}
		table, isTable := values[name].(map[string]any)
		text, err := parseName(values[name])
		switch {
		case isTable && secrets:
			f.secretTable(at.in(key).in(name), name, table, &field.Secret)
		case err != nil && misplaced(at, name):
			f.report(at.in(key), name, "%s is a key of [[service]], and stands in %s: move it above that table", name, key)
			continue
		case err != nil:
			f.report(at.in(key), name, "%s is %s, not text", name, kind(values[name]))
			continue
		default:
			field.Value = text
			f.warnMisplaced(at, key, field)
			if secrets {
				f.warnReference(at.in(key), name, text, key == "secrets")
			}
		}
		*dst = append(*dst, field)
	}
}

// misplaced reports whether a key that stands in a table of a service is one of
// the service itself: below [service.headers], TOML takes all for a header.
func misplaced(at place, name string) bool {
	return strings.HasPrefix(at.path, "service[") && slices.Contains(keysOf(reflect.TypeFor[Service]()), name)
}

// warnMisplaced warns of a field that is hardly meant to be one. A parameter may
// well be called type or text, so that only those count which the service lacks
// and which are no texts there.
func (f decoder) warnMisplaced(at place, table string, field Field) {
	if !misplaced(at, field.Name) || table != "headers" && (f.given(at, field.Name) || strings.Contains(field.Value, "#")) {
		return
	}
	own, _, _ := fieldOf(reflect.ValueOf(&Service{}).Elem(), field.Name)
	if table != "headers" && own.Kind() == reflect.String {
		return
	}
	f.warn(at.in(table), field.Name, "%s is a key of [[service]], and is sent as one of %s (move it above that table if it is meant to be one)", field.Name, table)
}

// claims decodes a table into JSON, in which texts are templates.
func (f decoder) claims(at place, key string, value any, dst *Claims) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	values, ok := value.(map[string]any)
	if !ok || e.Encode(value) != nil {
		f.report(at, key, "%s is %s, not a table of texts and numbers", key, kind(value))
		return
	}
	for _, name := range f.names(at.in(key), values) {
		claim, _ := values[name].(string)
		f.warnMisplaced(at, key, Field{Name: name, Value: claim})
	}
	*dst = Claims(strings.TrimSpace(text.String()))
}

// where decodes a table of tags with the values that pass. A tag with dots may
// be written as tables in tables.
func (f decoder) where(at place, key string, value any, dst *[]Where) {
	values, ok := value.(map[string]any)
	if !ok {
		f.report(at, key, "%s is %s, not a table", key, kind(value))
		return
	}
	for _, tag := range f.names(at.in(key), values) {
		f.whereTag(at.in(key), tag, tag, values[tag], dst)
	}
}

func (f decoder) whereTag(at place, key, tag string, value any, dst *[]Where) {
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
func (f decoder) names(at place, values map[string]any) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	f.index.sort(join(at.path, at.key), names)
	return names
}
