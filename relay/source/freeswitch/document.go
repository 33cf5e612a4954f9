package freeswitch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// document is what of a call detail record matters here.
type document struct {
	Switch    string            `json:"switchname"`
	Variables map[string]string `json:"variables"`
	Callflow  []flow            `json:"callflow"` // newest first
}

type flow struct {
	Profile profile           `json:"caller_profile"`
	Times   map[string]string `json:"times"` // microseconds
}

type profile struct {
	UUID       string `json:"uuid"`
	CallerID   string `json:"caller_id_number"`
	Dialled    string `json:"destination_number"`
	Channel    string `json:"chan_name"`
	Originator *struct {
		Profiles []profile `json:"originator_caller_profiles"`
	} `json:"originator"` // who called this leg: it is a b-leg
}

// parse reads a document as the module posts it or spools it: JSON, or its
// URL or base64 encoding, with or without the name cdr= of the form field.
func parse(body []byte) (*document, error) {
	text, err := plain(bytes.TrimSpace(body))
	if err != nil {
		return nil, err
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	if d.uuid() == "" {
		return nil, errors.New("read document: no uuid")
	}
	if encodedValues(d.Variables) {
		for name, value := range d.Variables {
			if decoded, err := url.PathUnescape(value); err == nil {
				d.Variables[name] = decoded
			}
		}
	}
	return &d, nil
}

// plain undoes the encoding of the whole document, which its Content-Type does
// not always tell: disable-100-continue drops it.
func plain(text []byte) ([]byte, error) {
	text = bytes.TrimPrefix(text, []byte("cdr="))
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return text, nil
	case bytes.HasPrefix(text, []byte("%7B")), bytes.HasPrefix(text, []byte("%7b")):
		decoded, err := url.PathUnescape(string(text))
		if err != nil {
			return nil, fmt.Errorf("decode document: %w", err)
		}
		return []byte(decoded), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.Map(inLine, string(text)))
	if err != nil {
		return nil, errors.New("decode document: neither JSON nor its URL or base64 encoding")
	}
	return decoded, nil
}

// inLine drops the line ends that the module puts into base64.
func inLine(r rune) rune {
	if r == '\r' || r == '\n' {
		return -1
	}
	return r
}

// encodedValues reports whether each value of the document is URL-encoded, as
// encode-values does by default. The document does not say it, but the dates
// in it show it.
func encodedValues(variables map[string]string) bool {
	for name, value := range variables {
		if strings.HasSuffix(name, "_stamp") && strings.Contains(value, "%3A") {
			return true
		}
	}
	return false
}

func (d *document) variable(names ...string) string {
	for _, name := range names {
		if value := d.Variables[name]; value != "" {
			return value
		}
	}
	return ""
}

func (d *document) uuid() string {
	if uuid := d.variable("uuid"); uuid != "" || len(d.Callflow) == 0 {
		return uuid
	}
	return d.Callflow[0].Profile.UUID
}

// first is how the leg began: its oldest profile. A transfer adds newer ones.
func (d *document) first() profile {
	if len(d.Callflow) == 0 {
		return profile{}
	}
	return d.Callflow[len(d.Callflow)-1].Profile
}

// called reports whether another leg called this one.
func (d *document) called() bool {
	return d.first().Originator != nil || d.variable("originator", "originating_leg_uuid") != ""
}

// stamp is a moment of the leg, from the variable that counts microseconds, or
// from the times of its profiles: the first of them, or the last.
func (d *document) stamp(variable, times string) time.Time {
	if t := micros(d.variable(variable)); !t.IsZero() {
		return t
	}
	for i := range d.Callflow {
		if t := micros(d.Callflow[len(d.Callflow)-1-i].Times[times]); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func micros(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func seconds(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
