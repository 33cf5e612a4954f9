// Package services holds example services, a file each: what to send to a
// product that many use, with the binding that feeds it. `relay init --example
// NAME` begins a relay.toml with one of them. A test sends each to a receiver
// that takes nothing but the shape its product documents.
package services

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.toml
var files embed.FS

// Names returns the names of all examples, sorted.
func Names() []string {
	paths, _ := fs.Glob(files, "*.toml") // the pattern is good
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(path, ".toml"))
	}
	return names
}

// Text returns the TOML of an example, and whether there is one of that name.
func Text(name string) (string, bool) {
	text, err := files.ReadFile(name + ".toml")
	return string(text), err == nil
}
