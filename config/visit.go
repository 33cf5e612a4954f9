package config

import (
	"reflect"
	"strings"
)

// A node is a value of the configuration and where it stands in the file.
type node struct {
	at    place
	key   string
	value reflect.Value
	tag   reflect.StructTag // of the field that holds it
}

// parts visits each table of the file that is in force, [defaults] aside, whose
// keys services have taken over.
func (c *Config) parts(visit func(node)) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		key, _ := tomlKey(v.Type().Field(i))
		field := v.Field(i)
		switch {
		case key == "" || key == "defaults" || field.Kind() == reflect.Pointer && field.IsNil():
		case field.Kind() == reflect.Slice:
			for j := range field.Len() {
				visit(node{at: c.place(Ref{key, j}), value: field.Index(j)})
			}
		default:
			visit(node{at: place{item: key, path: key}, value: reflect.Indirect(field)})
		}
	}
}

// each visits a node and all below it that have a key in the file, as long as
// visit wants to see what is below.
func (n node) each(visit func(node) bool) {
	if !visit(n) {
		return
	}
	switch n.value.Kind() {
	case reflect.Pointer:
		if !n.value.IsNil() {
			node{n.at, n.key, n.value.Elem(), n.tag}.each(visit)
		}
	case reflect.Struct:
		n.eachField(visit)
	case reflect.Slice:
		for i := range n.value.Len() {
			element := node{n.at, element(n.key, i), n.value.Index(i), n.tag}
			if field, ok := reflect.TypeAssert[Field](element.value); ok {
				element.at, element.key = n.at.in(n.key), field.Name
			}
			element.each(visit)
		}
	}
}

func (n node) eachField(visit func(node) bool) {
	at := n.at
	if n.key != "" {
		at = at.in(n.key)
	}
	for i := range n.value.NumField() {
		field := n.value.Type().Field(i)
		switch key, option := tomlKey(field); {
		case field.Type == reflect.TypeFor[Secret]() && key == "": // of a Field, whose name is its key
			node{n.at, n.key, n.value.Field(i), n.tag}.each(visit)
		case key == "":
		case option == "item":
			inside := place{item: join(at.item, key), path: join(at.path, key)}
			node{inside, "", n.value.Field(i), field.Tag}.each(visit)
		default:
			node{at, key, n.value.Field(i), field.Tag}.each(visit)
		}
	}
}

// tomlKey returns the key that a field of a struct stands for, and its option.
func tomlKey(field reflect.StructField) (key, option string) {
	key, option, _ = strings.Cut(field.Tag.Get("toml"), ",")
	return key, option
}

// keysWith returns the keys of a table that have an option.
func keysWith(option string, table reflect.Type) []string {
	var keys []string
	for field := range table.Fields() {
		if key, has := tomlKey(field); has == option {
			keys = append(keys, key)
		}
	}
	return keys
}
