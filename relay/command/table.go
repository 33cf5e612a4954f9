package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"callrelay/relay/deliver"
)

// table prints aligned columns. A heading that starts with > is of a column
// that is aligned to the right. A row of a single cell stands as it is.
type table struct {
	head   []string
	rows   [][]string
	widths []int // of the columns so far
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print prints the rows that were added since the last time, below the head the
// first time.
func (t *table) print(w io.Writer) {
	rows := t.rows
	if t.widths == nil {
		t.widths = make([]int, len(t.head))
		rows = append([][]string{t.headings()}, rows...)
	}
	t.rows = nil
	for _, row := range rows {
		for i, cell := range row {
			if len(row) == 1 && len(t.head) > 1 {
				break
			}
			t.widths[i] = max(t.widths[i], width(cell))
		}
	}
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, t.line(row))
	}
}

func (t *table) headings() []string {
	var row []string
	for _, h := range t.head {
		row = append(row, strings.TrimPrefix(h, ">"))
	}
	return row
}

func (t *table) line(row []string) string {
	if len(row) == 1 && len(t.head) > 1 {
		return row[0]
	}
	var line strings.Builder
	for i, cell := range row {
		pad := strings.Repeat(" ", t.widths[i]-width(cell))
		if strings.HasPrefix(t.head[i], ">") {
			cell, pad = pad+cell, ""
		}
		line.WriteString(cell + pad + "  ")
	}
	return strings.TrimRight(line.String(), " ")
}

// width is the number of columns of s on a terminal, its colours apart.
func width(s string) int {
	n := utf8.RuneCountInString(s)
	for _, code := range [...]string{red, green, yellow, plain} {
		n -= strings.Count(s, code) * len(code)
	}
	return n
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// painter colours words where the output is a terminal and NO_COLOR is unset.
type painter bool

func (a *app) painter() painter {
	f, ok := fileOf(a.out)
	return painter(ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "")
}

func (p painter) good(s string) string { return p.in(green, s) }
func (p painter) warn(s string) string { return p.in(yellow, s) }
func (p painter) bad(s string) string  { return p.in(red, s) }

func (p painter) in(colour, s string) string {
	if !p {
		return s
	}
	return colour + s + plain
}

// state colours the state of a service or a breaker.
func (p painter) state(s string) string {
	switch deliver.StateNamed(s).Level {
	case deliver.Well:
		return p.good(s)
	case deliver.Ill:
		return p.bad(s)
	default:
		return p.warn(s)
	}
}

// count colours a number that should be 0.
func (p painter) count(n int) string {
	if n == 0 {
		return "0"
	}
	return p.bad(strconv.Itoa(n))
}

func (a *app) printf(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format, args...) }

// jsonTo writes values as JSON, a line each, or indented.
func jsonTo(w io.Writer, indent string) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e
}

// joined joins what there is of parts.
func joined(parts ...string) string {
	var text string
	for _, part := range parts {
		if text != "" && part != "" {
			text += ": "
		}
		text += part
	}
	return cmp.Or(text, "-")
}
