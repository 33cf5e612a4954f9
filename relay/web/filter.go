package web

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"callrelay/queue"
)

// Filter chooses dead letters. Its zero value chooses all of them.
type Filter queue.Filter

// Empty reports whether f chooses every dead letter.
func (f Filter) Empty() bool {
	return f.Service == "" && f.Reason == "" && f.Call == "" && f.ID == "" &&
		len(f.Seqs) == 0 && f.Since.IsZero() && f.Until.IsZero()
}

// Query writes f as URL parameters.
func (f Filter) Query() url.Values {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("service", f.Service)
	set("reason", f.Reason)
	set("call", f.Call)
	set("id", f.ID)
	set("since", instant(f.Since))
	set("until", instant(f.Until))
	if f.Rate > 0 {
		set("rate", strconv.Itoa(f.Rate))
	}
	for _, seq := range f.Seqs {
		q.Add("seq", strconv.FormatUint(seq, 10))
	}
	return q
}

// ParseFilter reads what [Filter.Query] wrote. It ignores other parameters.
func ParseFilter(q url.Values) (Filter, error) {
	f := Filter{
		Service: q.Get("service"),
		Reason:  q.Get("reason"),
		Call:    q.Get("call"),
		ID:      q.Get("id"),
	}
	for _, text := range q["seq"] {
		seq, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return Filter{}, fmt.Errorf("seq %q is not a number", text)
		}
		f.Seqs = append(f.Seqs, seq)
	}
	var err error
	if text := q.Get("rate"); text != "" {
		if f.Rate, err = strconv.Atoi(text); err != nil || f.Rate < 1 {
			return Filter{}, fmt.Errorf("rate %q is not a number above 0", text)
		}
	}
	if f.Since, err = parseInstant(q, "since"); err != nil {
		return Filter{}, err
	}
	f.Until, err = parseInstant(q, "until")
	return f, err
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// parseInstant also takes the form a browser sends for a date and time.
func parseInstant(q url.Values, key string) (time.Time, error) {
	text := q.Get(key)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q is not an RFC 3339 time", key, text)
}
