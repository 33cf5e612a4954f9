package main

import (
	"strings"

	"callrelay/config"
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// hintError is an error with a known way out.
type hintError struct {
	error
	try string
}

func (e hintError) Unwrap() error { return e.error }

// problemsError is a configuration that cannot be put in force: one problem a
// line.
type problemsError []config.Problem

func (e problemsError) Error() string { return strings.Join(e.lines(), "\n") }

func (e problemsError) lines() []string { return problemLines(e) }

func problemLines(problems []config.Problem) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return lines
}
