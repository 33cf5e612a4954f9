package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"callrelay/relay/deliver"
)

// Attempt is one try at a delivery, as it was logged.
type Attempt deliver.Attempt

// Result is what came of the attempt, in few words.
func (a Attempt) Result() string {
	switch {
	case a.Error != "":
		return a.Error
	case a.Status != 0:
		return fmt.Sprint(a.Status)
	default:
		return a.Class
	}
}

// Transcript is one exchange in full. Secrets in it are masked.
type Transcript deliver.Exchange

// Sent is the request as text: a line, the headers, the body.
func (t Transcript) Sent() string {
	return ExchangeText(t.Request.Method+" "+t.Request.URL, t.Request.Headers, t.Request.Body)
}

// Answer is the response as text, "" when there was none.
func (t Transcript) Answer() string {
	if t.Response == nil {
		return ""
	}
	line := fmt.Sprint(t.Response.Status, " ", http.StatusText(t.Response.Status))
	return ExchangeText(line, t.Response.Headers, t.Response.Body)
}

// Result is what came of it, in one line.
func (t Transcript) Result() string {
	text := fmt.Sprintf("%s after %s", t.Outcome, Latency(t.Seconds))
	if t.Error != "" {
		text += ": " + t.Error
	}
	return text
}

// ExchangeText is a request or a response as text: its first line, the headers
// in order, the body.
func ExchangeText(line string, headers http.Header, body string) string {
	var b strings.Builder
	b.WriteString(line + "\n")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		for _, value := range headers[name] {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	if body != "" {
		b.WriteString("\n" + body)
	}
	return strings.TrimRight(b.String(), "\n")
}

// recordText is a JSON record as a person reads it.
func recordText(record []byte) string {
	var text bytes.Buffer
	if json.Indent(&text, record, "", "  ") != nil {
		return string(record)
	}
	return text.String()
}
