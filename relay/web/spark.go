package web

import (
	"fmt"
	"strings"
	"time"
)

// slots are the outcomes of one service's attempts in equal spans of time, the
// newest last. It is not safe for concurrent use.
type slots struct {
	span  time.Duration
	first int64 // number of the span that list begins with, since 1970
	list  []outcomes
}

// outcomes count attempts.
type outcomes struct{ delivered, failed uint64 }

func newSlots(span time.Duration, n int) *slots { return &slots{span: span, list: make([]outcomes, n)} }

// add counts what came of attempts up to now.
func (s *slots) add(now time.Time, o outcomes) {
	s.turn(now)
	last := &s.list[len(s.list)-1]
	last.delivered += o.delivered
	last.failed += o.failed
}

// turn lets go of the spans that are too long ago.
func (s *slots) turn(now time.Time) {
	first := now.UnixNano()/int64(s.span) - int64(len(s.list)) + 1
	gone := min(max(first-s.first, 0), int64(len(s.list)))
	copy(s.list, s.list[gone:])
	clear(s.list[int64(len(s.list))-gone:])
	s.first = first
}

// A Spark is a row of bars, one for each span of time: what was delivered, and
// above it what failed.
type Spark struct {
	Good, Bad string // SVG paths in a box of SparkWidth by SparkHeight
	Text      string // the same in words
}

// The box of a [Spark].
const (
	SparkWidth  = 120
	SparkHeight = 24
)

// spark draws the bars; within says which time they are about.
func (s *slots) spark(now time.Time, within string) Spark {
	s.turn(now)
	var sum outcomes
	highest := uint64(1)
	for _, o := range s.list {
		sum.delivered += o.delivered
		sum.failed += o.failed
		highest = max(highest, o.delivered+o.failed)
	}
	var good, bad strings.Builder
	width := float64(SparkWidth) / float64(len(s.list))
	height := func(n uint64) float64 { return float64(n) / float64(highest) * SparkHeight }
	for i, o := range s.list {
		x, top := float64(i)*width, SparkHeight-height(o.delivered)
		bar(&good, x, SparkHeight, width, height(o.delivered))
		bar(&bad, x, top, width, height(o.failed))
	}
	return Spark{good.String(), bad.String(), fmt.Sprintf("%s delivered, %s failed in the last %s", Thousands(int(sum.delivered)), Thousands(int(sum.failed)), within)}
}

// bar draws one that stands on y; of none, nothing.
func bar(b *strings.Builder, x, y, width, height float64) {
	if height > 0 {
		fmt.Fprintf(b, "M%.1f %.1fh%.1fv%.1fh%.1fz", x, y, width*.8, -max(height, 1), -width*.8)
	}
}

// sparks are the bars of a service: an hour by minutes, a day by half hours.
type sparks struct {
	hour, day *slots
	last      outcomes // since the start of the process
}

func newSparks(s Service) *sparks {
	return &sparks{hour: newSlots(time.Minute, 60), day: newSlots(30*time.Minute, 48), last: outcomes{s.Delivered, s.Failed}}
}

// add takes the counts of a service; they begin anew when it returns after it
// was removed.
func (s *sparks) add(now time.Time, total outcomes) {
	if total.delivered < s.last.delivered || total.failed < s.last.failed {
		s.last = outcomes{}
	}
	fresh := outcomes{total.delivered - s.last.delivered, total.failed - s.last.failed}
	s.hour.add(now, fresh)
	s.day.add(now, fresh)
	s.last = total
}
