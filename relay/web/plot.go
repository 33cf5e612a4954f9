package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The box of a plot, in the units of its SVG.
const (
	plotWidth  = 240.0
	plotHeight = 48.0
)

type point struct {
	at    time.Time
	value float64
}

// plot is one small curve of the last hour, ending at its newest point.
type plot struct {
	Name string
	Now  string // the newest value
	Max  string // the highest value
	Line string // SVG path of the curve; empty with less than two points
	Area string // SVG path of what is below it
}

func draw(name string, points []point) plot {
	p := plot{Name: name, Now: "0", Max: "0"}
	if len(points) == 0 {
		return p
	}
	newest, highest := points[len(points)-1], 0.0
	for _, pt := range points {
		highest = max(highest, pt.value)
	}
	p.Now, p.Max = quantity(newest.value), quantity(highest)
	if len(points) < 2 {
		return p
	}
	x := func(pt point) float64 {
		return max(0, plotWidth*(1-newest.at.Sub(pt.at).Seconds()/sampleKeep.Seconds()))
	}
	var line strings.Builder
	for i, pt := range points {
		command := 'L'
		if i == 0 {
			command = 'M'
		}
		// One unit is left free above and below, so that the stroke is not cut.
		y := plotHeight - 1 - pt.value/max(highest, 1)*(plotHeight-2)
		fmt.Fprintf(&line, "%c%.1f %.1f", command, x(pt), y)
	}
	p.Line = line.String()
	p.Area = fmt.Sprintf("%sL%.1f %.0fL%.1f %.0fZ", p.Line, plotWidth, plotHeight, x(points[0]), plotHeight)
	return p
}

// quantity is a value with the digits that say something.
func quantity(v float64) string {
	if v == 0 || v >= 10 {
		return Thousands(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}
