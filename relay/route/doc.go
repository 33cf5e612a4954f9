// Package route compiles a configuration into a [Table]: every service with its
// templates, and for every event the services that it is owed to.
//
// A table never changes. A reload compiles a new one and swaps it in one step;
// what was owed by the old one has been settled when its events were accepted.
//
// [Compile] also finds what a configuration by itself cannot show: templates
// that are wrong, and, as warnings, what is legal but hardly meant.
package route
