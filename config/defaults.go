package config

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"
)

// Types of a [[source]].
const (
	SourceAsterisk   = "asterisk"
	SourceFreeSWITCH = "freeswitch"
)

// SourceTypes returns what the type of a [[source]] may be.
func SourceTypes() []string { return []string{SourceAsterisk, SourceFreeSWITCH} }

// setDefaults makes the struct that into points at what it is when the file says
// nothing: each key is what its tag says, which is read as the file's own is.
func (f decoder) setDefaults(into any) {
	v := reflect.ValueOf(into).Elem()
	v.SetZero()
	for i := range v.NumField() {
		field, dst := v.Type().Field(i), v.Field(i)
		key, option := tomlKey(field)
		text := field.Tag.Get("default")
		switch {
		case key == "":
		case text != "":
			f.value(place{path: "default"}, key, valueOf(text, dst), dst, option)
		case dst.Kind() == reflect.Struct:
			f.setDefaults(dst.Addr().Interface())
		}
	}
	if r, ok := into.(*Recordings); ok {
		r.Keys = []Key{{ID: "k1", Secret: fromEnv("RELAY_RECORDING_KEY")}}
	}
}

// valueOf is the text of a default as the file would give it to a field.
func valueOf(text string, dst reflect.Value) any {
	switch dst.Interface().(type) {
	case bool:
		return text == "true"
	case int:
		n, _ := strconv.ParseInt(text, 10, 64)
		return n
	case float64:
		x, _ := strconv.ParseFloat(text, 64)
		return x
	case Secret:
		return map[string]any{"env": text}
	case StatusSet:
		return wordsOf(text)
	}
	if dst.Kind() == reflect.Slice {
		return wordsOf(text)
	}
	return text
}

func wordsOf(text string) []any {
	var words []any
	for word := range strings.FieldsSeq(text) {
		words = append(words, word)
	}
	return words
}

// derive fills in the defaults that depend on the type.
func (s *Source) derive() {
	address, password := "127.0.0.1:5038", "RELAY_AMI_SECRET"
	if s.Type == SourceFreeSWITCH {
		address, password = "127.0.0.1:8021", "RELAY_ESL_PASSWORD"
	}
	s.Address = cmp.Or(s.Address, address)
	if s.Password == (Secret{}) {
		s.Password = fromEnv(password)
	}
}

// fromEnv returns a secret that an environment variable holds.
func fromEnv(name string) Secret { return Secret{&secretSource{env: name}} }
