package main

import (
	"slices"
	"strings"

	"callrelay/config"
	"callrelay/relay/route"
)

// setup is a configuration that was checked whole and can be put in force.
type setup struct {
	config   *config.Config
	table    *route.Table
	warnings []config.Problem
}

// loadSetup reads and compiles the configuration. The error is a
// [problemsError] with all there are.
func loadSetup(path string) (*setup, error) {
	c, problems := config.Load(path)
	if c == nil {
		return nil, problemsError(problems)
	}
	table, more, warnings := route.Compile(c)
	if problems = append(problems, unsaid(more, problems)...); len(problems) > 0 {
		config.Sort(problems)
		return nil, problemsError(problems)
	}
	warnings = append(c.Warnings(), warnings...)
	config.Sort(warnings)
	return &setup{config: c, table: table, warnings: warnings}, nil
}

// unsaid leaves out the problems of lines that have one already: a template
// that is no URL is none to config and to render.
func unsaid(problems, said []config.Problem) []config.Problem {
	return slices.DeleteFunc(problems, func(p config.Problem) bool {
		return p.Line > 0 && slices.ContainsFunc(said, func(other config.Problem) bool { return other.Line == p.Line })
	})
}

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
