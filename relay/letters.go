package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"callrelay/relay/web"
)

// letterList shows dead letters as they come.
type letterList interface {
	letter(l web.Letter)
	end()
}

// letterLines prints each as a JSON object of its own line.
type letterLines struct{ *json.Encoder }

func (e letterLines) letter(l web.Letter) { _ = e.Encode(l) }
func (letterLines) end()                  {}

// letterPage is how many rows are aligned together, so that a list of a million
// is neither held in memory nor slow to begin.
const letterPage = 200

// letterTable prints a table, letterPage rows at a time.
type letterTable struct {
	out  io.Writer
	rows table
}

var letterHead = []string{">NUMBER", "GIVEN UP", "SERVICE", "REASON", ">STATUS", ">ATTEMPTS", "EVENT", "ID", "ERROR"}

func (a *app) letterTable() letterList {
	return &letterTable{out: a.out, rows: table{head: letterHead}}
}

func (t *letterTable) letter(l web.Letter) {
	status := "-"
	if l.Status != 0 {
		status = number(l.Status)
	}
	t.rows.add(fmt.Sprint(l.Seq), l.Buried.Local().Format(time.DateTime), l.Service, l.Reason, status,
		number(l.Attempts), l.Event, l.ID, joined(l.Error))
	if len(t.rows.rows) == letterPage {
		t.end()
	}
}

func (t *letterTable) end() {
	if len(t.rows.rows) > 0 {
		t.rows.print(t.out)
	}
}

// progress shows on a terminal how many letters were moved so far.
func (a *app) progress(done string) func(int) {
	f, ok := a.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(int) {}
	}
	return func(n int) { _, _ = fmt.Fprintf(f, "\r%s %d ", done, n) }
}
