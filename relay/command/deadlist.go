package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"

	"callrelay/relay/printable"
	"callrelay/relay/web"
)

// letterList shows dead letters as they come.
type letterList interface {
	letter(l web.Letter)
	end()
	none(f web.Filter) // in place of end, when there was no letter
}

// letterLines prints each as a JSON object of its own line.
type letterLines struct{ *json.Encoder }

func (e letterLines) letter(l web.Letter) { _ = e.Encode(l) }
func (letterLines) end()                  {}
func (letterLines) none(web.Filter)       {}

// letterPage is how many rows are aligned together, so that a list of a million
// is neither held in memory nor slow to begin.
const letterPage = 200

// letterTable prints a table, letterPage rows at a time.
type letterTable struct {
	out  io.Writer
	rows table
}

var letterHead = []string{">NUMBER", "GIVEN UP", "REASON", ">STATUS", ">ATTEMPTS", "SERVICE"}

func (a *app) letterTable() letterList {
	return &letterTable{out: a.out, rows: table{head: letterHead}}
}

func (t *letterTable) letter(l web.Letter) { t.add(l, letterCells(l)...) }

// add shows a letter: a row that fits 80 columns, and below it what may be long.
func (t *letterTable) add(l web.Letter, cells ...string) {
	t.rows.add(cells...)
	t.rows.add("        " + printable.Text(l.Event+"  "+l.ID, ""))
	if l.Error != "" {
		t.rows.add("        " + printable.Text(l.Error, ""))
	}
	if len(t.rows.rows) >= letterPage {
		t.end()
	}
}

func letterCells(l web.Letter) []string {
	status := "-"
	if l.Status != 0 {
		status = number(l.Status)
	}
	return []string{
		fmt.Sprint(l.Seq), l.Buried.Local().Format(time.DateTime), l.Reason, status, number(l.Attempts), l.Service,
	}
}

func (t *letterTable) end() {
	if len(t.rows.rows) > 0 {
		t.rows.print(t.out)
	}
}

// none says so where a table would have been.
func (t *letterTable) none(f web.Filter) {
	text := "no dead letters"
	if !f.Empty() {
		text = "no dead letter matches"
	}
	_, _ = fmt.Fprintln(t.out, text)
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
