package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"callrelay/relay/printable"
	"callrelay/relay/web"
)

// letterPage is how many rows are aligned together, so that a list of a million
// is neither held in memory nor slow to begin.
const letterPage = 200

var letterHead = []string{">NUMBER", "GIVEN UP", "REASON", ">STATUS", ">ATTEMPTS", "SERVICE"}

// letterList prints dead letters as they come: a JSON object a line, or a table,
// letterPage rows at a time.
type letterList struct {
	out   io.Writer
	lines *json.Encoder // nil: a table
	rows  table
	n     uint // letters so far
	limit uint // 0: none
}

func (a *app) letterList(f deadFlags, head ...string) *letterList {
	list := &letterList{out: a.out, rows: table{head: head}, limit: f.limit}
	if f.asJSON {
		list.lines = jsonTo(a.out, "")
	}
	return list
}

// add prints a letter, which in JSON may be part of a larger object, and reports
// whether there may be more. In a table it is a row that fits 80 columns, after
// cells of the caller's, and below it what may be long.
func (t *letterList) add(l web.Letter, object any, cells ...string) bool {
	t.n++
	if t.lines != nil {
		return t.lines.Encode(object) == nil && t.n != t.limit
	}
	t.rows.add(append(cells, letterCells(l)...)...)
	t.rows.add("        " + printable.Text(l.Event+"  "+l.ID, ""))
	if l.Error != "" {
		t.rows.add("        " + printable.Text(l.Error, ""))
	}
	if len(t.rows.rows) >= letterPage {
		t.rows.print(t.out)
	}
	return t.n != t.limit
}

// end prints what is left of a table, or that f chose no letter. It returns err.
func (t *letterList) end(f web.Filter, err error) error {
	switch {
	case t.n > 0:
		if len(t.rows.rows) > 0 {
			t.rows.print(t.out)
		}
	case err != nil || t.lines != nil:
	case f.Empty():
		_, _ = fmt.Fprintln(t.out, "no dead letters")
	default:
		_, _ = fmt.Fprintln(t.out, "no dead letter matches")
	}
	return err
}

func letterCells(l web.Letter) []string {
	status := "-"
	if l.Status != 0 {
		status = strconv.Itoa(l.Status)
	}
	return []string{
		fmt.Sprint(l.Seq), l.Buried.Local().Format(time.DateTime), l.Reason, status, strconv.Itoa(l.Attempts), l.Service,
	}
}

// progress shows on a terminal how many letters were moved so far, of so many;
// 0 is not known.
func (a *app) progress(done string, total int) func(int) {
	f, ok := fileOf(a.err)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(int) {}
	}
	return func(n int) { _, _ = fmt.Fprintf(f, "\r%s", progressBar(done, n, total)) }
}

// progressBar is one line of progress.
func progressBar(done string, n, total int) string {
	if total < n || total == 0 {
		return fmt.Sprintf("%s %d ", done, n)
	}
	const width = 30
	full := width * n / total
	return fmt.Sprintf("[%s%s] %s %d of %d ", strings.Repeat("#", full), strings.Repeat(".", width-full), done, n, total)
}

// countLetters counts the letters that a filter chooses.
func countLetters(ctx context.Context, c *web.Client, f web.Filter) (int, error) {
	if f.Call == "" && f.ID == "" && f.Since.IsZero() && f.Until.IsZero() && len(f.Seqs) == 0 {
		s, err := c.Status(ctx)
		if err == nil {
			err = s.Known(f.Service)
		}
		return s.Letters(f.Service, f.Reason), err
	}
	n := 0
	err := c.Letters(ctx, f, false, func(web.Letter) bool { n++; return true })
	return n, err
}

// lettersOf is how many letters a filter chooses, when that is known without
// reading them; else 0.
func lettersOf(ctx context.Context, c *web.Client, f web.Filter) int {
	if f.Call != "" || f.ID != "" || !f.Since.IsZero() || !f.Until.IsZero() {
		return 0
	}
	if len(f.Seqs) > 0 {
		return len(f.Seqs)
	}
	s, err := c.Status(ctx)
	if err != nil {
		return 0
	}
	return s.Letters(f.Service, f.Reason)
}
