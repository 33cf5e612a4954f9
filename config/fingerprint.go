package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Fingerprint returns 16 hexadecimal digits that differ where the configuration
// in force differs. Of a secret it is made from where the secret is kept, never
// from what it is.
func (c *Config) Fingerprint() string {
	sum := sha256.New()
	walk("", reflect.ValueOf(c).Elem(), Secret.origin, func(key, value string) {
		_, _ = fmt.Fprintf(sum, "%s=%q\n", key, value)
	})
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Text returns the configuration in force with its defaults, a key and its value
// a line. Keys that are empty, off or zero are left out. Of a secret it says
// where the secret is kept, never what it is; and what is a secret by the name of
// its header or parameter is masked.
func (c *Config) Text() string {
	var text strings.Builder
	walk("", reflect.ValueOf(c).Elem(), Secret.origin, func(key, value string) {
		value = withoutNamed(key, value)
		switch {
		case value == "":
			return
		case strings.Contains(value, "\n"):
			value = "\n\t" + strings.ReplaceAll(value, "\n", "\n\t")
		}
		fmt.Fprintf(&text, "%s = %s\n", key, value)
	})
	return text.String()
}

// SecretNames is a regular expression for the names, in lower case, of headers and
// parameters that hold secrets.
const SecretNames = `authoriz|authenticat|cookie|token|secret|passw|pwd|(?:api|auth|access|subscription)[-_]?key|signature`

var (
	secretField = regexp.MustCompile(`(?i)\["[^"]*(?:` + SecretNames + `)[^"]*"\]$`)
	secretQuery = regexp.MustCompile(`(?i)([?&;][\w.-]*(?:` + SecretNames + `)[\w.-]*=)[^&;#\s]+`)
	tags        = regexp.MustCompile(`#[^#]*#`)
)

// withoutNamed masks a value that was written into the file as it is, where the
// name of its field, or of the parameter in its URL, says that it is a secret.
func withoutNamed(key, value string) string {
	if secretField.MatchString(key) && tags.ReplaceAllString(value, "") != "" {
		return mask
	}
	return secretQuery.ReplaceAllString(value, "${1}"+mask)
}

// digest is what a secret is compared by: it differs where the text does, or
// where it is kept.
func (s Secret) digest() string {
	sum := sha256.Sum256([]byte(s.origin() + "\x00" + s.Value()))
	return string(sum[:])
}

// walk visits every key that has a value which is not zero, with the value as
// text; secret gives that of secrets.
func walk(key string, v reflect.Value, secret func(Secret) string, visit func(key, value string)) {
	switch value := v.Interface().(type) {
	case Secret:
		if value.Set() {
			visit(key, secret(value))
		}
		return
	case fmt.Stringer: // durations, modes, zones, statuses
		if v.Kind() != reflect.Pointer || !v.IsNil() {
			visit(key, value.String())
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(key, v.Elem(), secret, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if name := fieldKey(field); name != "" {
				walk(join(key, name), v.Field(i), secret, visit)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if field, ok := reflect.TypeAssert[Field](v.Index(i)); ok {
				value := field.Value
				if field.Secret.Set() {
					value = secret(field.Secret)
				}
				visit(fmt.Sprintf("%s[%q]", key, field.Name), value)
				continue
			}
			walk(element(key, i), v.Index(i), secret, visit)
		}
	default:
		if !v.IsZero() {
			visit(key, fmt.Sprint(v.Interface()))
		}
	}
}

// fieldKey returns the key of a field, or its name where the file spells it
// another way. Where the file lies is no setting.
func fieldKey(field reflect.StructField) string {
	key, _ := tomlKey(field)
	switch {
	case key != "":
		return key
	case field.IsExported() && field.Name != "Path":
		return strings.ToLower(field.Name)
	}
	return ""
}

// Changes returns the keys whose values differ between two configurations, or
// two services or sources, sorted. Secrets are compared by their text, too.
func Changes[T Config | Service | Source](a, b *T) []string {
	was, is := values(a), values(b)
	for key, value := range was {
		if now, ok := is[key]; ok && now == value {
			delete(is, key)
		} else {
			is[key] = "" // gone, or another
		}
	}
	return slices.Sorted(maps.Keys(is))
}

func values(c any) map[string]string {
	all := map[string]string{}
	walk("", reflect.ValueOf(c).Elem(), Secret.digest, func(key, value string) { all[key] = value })
	return all
}

// SameConnection reports whether two forms of a service can share connections
// and tokens, as far as their keys say. A key counts unless its tag says that it
// decides something else.
func SameConnection(a, b *Service) bool { return same(a, b, "label", "schedule", "request") }

// SameRequest reports whether two forms of a service send the same to the same
// place, so that what the endpoint refused it would refuse again.
func SameRequest(a, b *Service) bool { return same(a, b, "label", "schedule", "connection") }

// same compares two forms of a service, apart from some parts: see [Service].
func same(a, b *Service, without ...string) bool {
	one, other := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range one.NumField() {
		field := one.Type().Field(i)
		if !slices.Contains(without, field.Tag.Get("part")) && !slices.Equal(texts(one.Field(i)), texts(other.Field(i))) {
			return false
		}
	}
	return true
}

// texts are all values below one, those of secrets as digests.
func texts(v reflect.Value) []string {
	var list []string
	walk("", v, Secret.digest, func(key, value string) { list = append(list, key, value) })
	return list
}
