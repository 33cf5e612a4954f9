// Package config reads relay.toml and reports every problem in it.
//
// Its one idea: the whole file is judged before any of it is used. [Load]
// decodes strictly, so that an unknown key, a wrong type and a wrong value are
// problems alike, and returns all of them at once, in file order, each with its
// line, its item, its key, the value found and the values allowed. A [Config]
// that came with no problem can be run as it is: defaults are filled in,
// [defaults] is merged into the services, paths are absolute, files exist and
// every secret that is needed has a value.
//
// A [Secret] never prints what it holds, and no problem or warning quotes one.
//
// Where each key stands is found by a scanner of this package, beside the decoder,
// which does not say; the parsers that do call that part of them unstable. A fuzz
// test holds that the scanner knows every key that the decoder finds.
//
// The package knows what a file may say, not what a template means: templates
// are checked by who compiles them, and their problems get their line from
// [Config.ProblemAt]. It imports nothing else of this module.
package config
