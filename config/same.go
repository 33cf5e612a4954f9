package config

import (
	"reflect"
	"slices"
)

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
