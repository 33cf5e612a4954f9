package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// A table collects what was measured.
type table struct{ rows [][4]string }

// rate adds events per second beside a limit of the machine in the same run.
func (t *table) rate(what string, perSecond, limit float64, of string) {
	ratio := ""
	if limit > 0 {
		ratio = fmt.Sprintf("%.2f", perSecond/limit)
	}
	t.rows = append(t.rows, [4]string{what, fmt.Sprintf("%.0f/s", perSecond), ratio, of})
}

// ratio adds a bare ratio.
func (t *table) ratio(what string, ratio float64, of string) {
	t.rows = append(t.rows, [4]string{what, "", fmt.Sprintf("%.2f", ratio), of})
}

// median is the value in the middle, which a hiccup of the machine does not move.
func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// figure adds a figure that has no limit beside it.
func (t *table) figure(what, value, note string) {
	t.rows = append(t.rows, [4]string{what, value, "", note})
}

func (t *table) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WHAT\tFIGURE\tRATIO\tOF")
	for _, r := range t.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r[0], r[1], r[2], r[3])
	}
	return tw.Flush()
}
