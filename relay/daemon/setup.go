package daemon

import (
	"slices"
	"strings"

	"callrelay/config"
	"callrelay/relay/route"
)

// Loaded is a configuration that was checked whole and can be put in force.
type Loaded struct {
	Config   *config.Config
	Table    *route.Table
	Warnings []config.Problem
}

// Load reads and compiles the configuration. The error is [Problems] with all
// there are.
func Load(path string) (*Loaded, error) { return compile(config.Load(path)) }

// Look is [Load] for those who only look: it writes nothing.
func Look(path string) (*Loaded, error) { return compile(config.Look(path)) }

func compile(c *config.Config, problems []config.Problem) (*Loaded, error) {
	if c == nil {
		return nil, Problems(problems)
	}
	table, more, warnings := route.Compile(c)
	if problems = append(problems, unsaid(more, problems)...); len(problems) > 0 {
		config.Sort(problems)
		return nil, Problems(problems)
	}
	warnings = append(c.Warnings(), warnings...)
	config.Sort(warnings)
	return &Loaded{Config: c, Table: table, Warnings: warnings}, nil
}

// unsaid leaves out the problems of lines that have one already: a template
// that is no URL is none to config and to render.
func unsaid(problems, said []config.Problem) []config.Problem {
	return slices.DeleteFunc(problems, func(p config.Problem) bool {
		return p.Line > 0 && slices.ContainsFunc(said, func(other config.Problem) bool { return other.Line == p.Line })
	})
}

// Problems is a configuration that cannot be put in force: one problem a
// line.
type Problems []config.Problem

func (e Problems) Error() string { return strings.Join(ProblemLines(e), "\n") }

// ProblemLines returns each problem as a line.
func ProblemLines(problems []config.Problem) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return lines
}
