package render

import (
	"errors"
	"fmt"
	"time"
)

// instant is the step that reads a time and writes it in another form and zone.
type instant struct {
	layout  string
	zone    *time.Location
	timesIn *time.Location
	strict  bool // what is no time is an error; else it stays as it is
}

// transform is the step as a [transform]. An empty value stays empty.
func (i instant) transform(v Value) (Value, error) {
	if v.text() == "" {
		return v, nil
	}
	t, err := ParseTime(v.Text, i.timesIn)
	switch {
	case err == nil:
		return Value{i.kind(), FormatTime(t, i.layout, i.zone)}, nil
	case i.strict:
		return Value{}, fmt.Errorf("%s is %w", quote(v.Text), err)
	default:
		return v, nil
	}
}

func (i instant) kind() Kind {
	if i.layout == layoutUnix || i.layout == layoutUnixMS {
		return Number
	}
	return String
}

// setLayout is the filter time.
func (i *instant) setLayout(arg string) (err error) {
	i.layout, err = parseLayout(arg)
	return err
}

// setZone is the filter zone.
func (i *instant) setZone(arg string) (err error) {
	i.zone, err = parseZone(arg)
	return err
}

// parseLayout reads the argument of the filter time.
func parseLayout(arg string) (string, error) {
	switch arg {
	case "ansi":
		return ANSI, nil
	case "rfc3339":
		return time.RFC3339Nano, nil
	case layoutUnix, layoutUnixMS:
		return arg, nil
	}
	// Two times that differ in everything: a layout that shows neither is none.
	one := time.Date(2003, 4, 9, 8, 7, 10, 999_000_000, time.UTC)
	other := time.Date(1998, 11, 23, 19, 38, 41, 111_000_000, time.UTC)
	if one.Format(arg) == other.Format(arg) {
		return "", fmt.Errorf("time: %q is no layout (rfc3339 unix unixms ansi, or a Go layout such as 2006-01-02 15:04:05)", arg)
	}
	return arg, nil
}

// parseZone reads the argument of the filter zone.
func parseZone(arg string) (*time.Location, error) {
	if arg == "" {
		return nil, errors.New("zone: no name given (a name such as America/Chicago or UTC)")
	}
	zone, err := time.LoadLocation(arg)
	if err != nil {
		return nil, fmt.Errorf("zone: %q is not known (a name such as America/Chicago or UTC)", arg)
	}
	return zone, nil
}
