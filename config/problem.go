package config

import (
	"fmt"
	"slices"
)

// A Problem is one thing wrong with the file, or one thing to be warned of.
type Problem struct {
	File string // as given to Load
	Line int    // from 1; 0 when it is not known
	Text string // item, key, the value found and the values allowed
}

// String returns the problem as it is shown: relay.toml:41: binding 2: ….
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Sort puts problems in file order. Those of one line keep their order.
func Sort(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
}

// A Ref names a table of the file: Ref{"service", 0} is the first [[service]],
// Ref{"queue", 0} is [queue].
type Ref struct {
	Table string
	Index int // from 0
}

// ProblemAt returns a problem with a key of a table, for checks made elsewhere.
// The key may be nested ("headers.X-Account"). The line is that of the key, or
// of the key in [defaults] where a service has it from there, or of the table;
// the text is preceded by item and key.
func (c *Config) ProblemAt(ref Ref, key, text string) Problem {
	at := c.place(ref)
	p := Problem{File: c.Path, Text: at.item + ": " + numbered(key) + ": " + text}
	if c.file != nil {
		_, p.Line = c.file.find(at, key)
	}
	return p
}

// place returns what a table is called and where it is.
func (c *Config) place(ref Ref) place {
	switch ref.Table {
	case "service":
		return c.servicePlace(ref.Index)
	case "source":
		return named(ref, c.Sources[ref.Index].Name)
	case "binding", "mapping":
		return named(ref, "")
	}
	return place{item: ref.Table, path: ref.Table}
}

func (c *Config) servicePlace(i int) place {
	return named(Ref{"service", i}, c.Services[i].Name)
}

// named is the place of a table in an array: called by its name, or by its
// number where it has none.
func named(ref Ref, name string) place {
	at := place{item: fmt.Sprintf("%s %d", ref.Table, ref.Index+1), path: element(ref.Table, ref.Index)}
	if name != "" {
		at.item = fmt.Sprintf("%s %q", ref.Table, name)
	}
	return at
}

// A place is a table of the file.
type place struct {
	item string // what it is called: `service "crm"`; empty: the top of the file
	path string // where it is in the index: service[0]
	key  string // of a table inside the item: auth.basic
}

// in returns the place of a table inside this one.
func (p place) in(key string) place {
	return place{item: p.item, path: p.path, key: join(p.key, key)}
}
