package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"reflect"
	"time"
)

// table decodes a table of the file into the struct that into points at: the
// keys it gives, over what the struct holds. Keys the struct does not have and
// values of another type are problems; the struct then keeps what it holds.
func (f decoder) table(at place, values map[string]any, into any) {
	dst := reflect.ValueOf(into).Elem()
	for _, key := range f.names(at, values) {
		field, option, ok := fieldOf(dst, key)
		if !ok {
			f.report(at, key, "%s is not a known key (%s)", key, suggestKey(at, key, dst.Type()))
			continue
		}
		if option == "whole" {
			field.SetZero()
		}
		f.value(at, key, values[key], field, option)
	}
}

// fieldOf returns the field of a struct that a key stands for, and its option:
//
//	path   a path, relative to the file
//	one    a list that may be written as its only element
//	whole  a table that replaces what [defaults] says, instead of adding to it
//	secret fields whose values may be secrets
//	body   what a service sends; it gives at most one
//	scope  what an event happens at; a binding gives at most one
//	hidden fields whose values are secrets, however they are written
//	item   a table that problems call by its own name
func fieldOf(dst reflect.Value, key string) (field reflect.Value, option string, ok bool) {
	for i := range dst.NumField() {
		if name, option := tomlKey(dst.Type().Field(i)); name == key && name != "" {
			return dst.Field(i), option, true
		}
	}
	return reflect.Value{}, "", false
}

// keysOf returns the keys of a table, in the order of the struct.
func keysOf(t reflect.Type) []string {
	var keys []string
	for field := range t.Fields() {
		if name, _ := tomlKey(field); name != "" {
			keys = append(keys, name)
		}
	}
	return keys
}

// value decodes one value into a field.
func (f decoder) value(at place, key string, value any, field reflect.Value, option string) {
	switch dst := field.Addr().Interface().(type) {
	case *string:
		f.text(at, key, value, dst, option)
	case *bool:
		scalar(f, at, key, value, dst, parseBool)
	case *int:
		scalar(f, at, key, value, dst, parseInt)
	case *int64:
		scalar(f, at, key, value, dst, parseSize)
	case *float64:
		scalar(f, at, key, value, dst, parseFloat)
	case *time.Duration:
		scalar(f, at, key, value, dst, parseDuration)
	case *fs.FileMode:
		scalar(f, at, key, value, dst, parseMode)
	case **time.Location:
		scalar(f, at, key, value, dst, parseZone)
	case *Rate:
		scalar(f, at, key, value, dst, parseRate)
	case *Debug:
		scalar(f, at, key, value, dst, parseDebug)
	case *[]string:
		list(f, at, key, value, dst, parseName, option == "one" || option == "scope")
	case *[]netip.Prefix:
		list(f, at, key, value, dst, parseNetwork, false)
	case *[]time.Duration:
		list(f, at, key, value, dst, parseDuration, false)
	case *StatusSet:
		list(f, at, key, value, &dst.ranges, parseStatus, false)
	case *Claims:
		f.claims(at, key, value, dst)
	case *[]Field:
		f.fields(at, key, value, dst, option == "secret" || option == "hidden")
		for i, field := range *dst {
			if option == "hidden" && field.Value != "" {
				(*dst)[i] = Field{Name: field.Name, Secret: NewSecret(field.Value)}
			}
		}
	case *[]Where:
		f.where(at, key, value, dst)
	case *Secret:
		f.secret(at, key, value, dst)
	case *[]Secret:
		f.secrets(at, key, value, dst)
	default:
		f.nested(at, key, value, field, option)
	}
}

// nested decodes a table, or an array of tables, into a field that is a struct,
// a pointer to one or a slice of them.
func (f decoder) nested(at place, key string, value any, field reflect.Value, option string) {
	if field.Kind() == reflect.Slice {
		f.array(at, key, value, field)
		return
	}
	values, ok := value.(map[string]any)
	if !ok {
		f.report(at, key, "%s is %s, not a table", key, kind(value))
		return
	}
	inside := at.in(key)
	if option == "item" {
		inside = place{item: join(at.item, key), path: join(at.path, key)}
	}
	if field.Kind() == reflect.Struct {
		f.table(inside, values, field.Addr().Interface())
		return
	}
	fresh := reflect.New(field.Type().Elem())
	if f.setDefaults(fresh.Interface()); !field.IsNil() {
		fresh.Elem().Set(field.Elem())
	}
	f.table(inside, values, fresh.Interface())
	field.Set(fresh)
}

// array decodes an array of tables into a slice of structs.
func (f decoder) array(at place, key string, value any, field reflect.Value) {
	tables, ok := tablesOf(value)
	if !ok {
		f.report(at, key, "%s is %s, not a list of tables", key, kind(value))
		return
	}
	field.Set(reflect.MakeSlice(field.Type(), len(tables), len(tables)))
	for i, values := range tables {
		f.setDefaults(field.Index(i).Addr().Interface())
		f.table(at.in(element(key, i)), values, field.Index(i).Addr().Interface())
	}
}

// tablesOf returns an array of tables, however it is written.
func tablesOf(value any) ([]map[string]any, bool) {
	switch value := value.(type) {
	case []map[string]any:
		return value, true
	case []any:
		tables := make([]map[string]any, len(value))
		for i, v := range value {
			table, ok := v.(map[string]any)
			if !ok {
				return nil, false
			}
			tables[i] = table
		}
		return tables, true
	}
	return nil, false
}

// scalar decodes a value with a function that says, in its error, what was
// wanted instead.
func scalar[T any](f decoder, at place, key string, value any, dst *T, parse func(any) (T, error)) {
	v, err := parse(value)
	if err != nil {
		f.report(at, key, "%s %s %v", key, show(value), err)
		return
	}
	*dst = v
}

// list decodes a list, element by element; one says that a single element may
// stand for it.
func list[T any](f decoder, at place, key string, value any, dst *[]T, parse func(any) (T, error), one bool) {
	values, ok := value.([]any)
	if !ok && one && kind(value) != "a table" {
		var v T
		if scalar(f, at, key, value, &v, parse); !f.problems.seen[join(at.path, join(at.key, key))] {
			*dst = []T{v}
		}
		return
	}
	if !ok {
		f.report(at, key, "%s is %s, not a list", key, kind(value))
		return
	}
	*dst = make([]T, 0, len(values))
	for i, value := range values {
		v, err := parse(value)
		if err != nil {
			f.report(at, element(key, i), "%s %s %v", key, show(value), err)
		}
		*dst = append(*dst, v) // whatever it is: the others keep their number
	}
}

// text decodes a string; a path becomes absolute.
func (f decoder) text(at place, key string, value any, dst *string, option string) {
	text, ok := value.(string)
	switch {
	case !ok:
		f.report(at, key, "%s is %s, not text", key, kind(value))
	case option == "path" && text != "":
		*dst = f.abs(text)
	default:
		*dst = text
	}
}

func (f *file) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(f.dir, path)
}

// show returns a value as a problem quotes it.
func show(value any) string {
	switch value := value.(type) {
	case string:
		if r := []rune(value); len(r) > 80 {
			value = string(r[:80]) + "…"
		}
		return fmt.Sprintf("%q", value)
	case bool, int64, float64:
		return fmt.Sprint(value)
	}
	return "(" + kind(value) + ")"
}

// kind names the type of a value.
func kind(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	}
	return "a list"
}
