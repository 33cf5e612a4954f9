package web

import (
	"context"
	"net/http"
	"net/url"
)

// Person is whose traces are erased: those of a call, or of a caller's number.
type Person struct {
	Call   string // uii
	Number string // ani
}

// Erasure is what was erased, or would be.
type Erasure struct {
	Calls      int            `json:"calls"`
	Records    map[string]int `json:"records"`        // by stream
	Owed       map[string]int `json:"owed,omitempty"` // by service, of what was not delivered yet
	InFlight   int            `json:"in_flight,omitempty"`
	Late       int            `json:"late_recordings,omitempty"` // no longer waited for
	Traces     int            `json:"traces,omitempty"`          // files with bytes of records that were deleted earlier
	Recordings []string       `json:"recordings,omitempty"`      // files of the call server, which stay
}

// erase answers once all is erased. When the reader goes away it stops, and what
// was erased stays so.
func (s *Socket) erase(w http.ResponseWriter, r *http.Request) {
	p := Person{Call: r.FormValue("call"), Number: r.FormValue("ani")}
	e, err := s.relay.Erase(r.Context(), p, r.FormValue("dry") != "")
	answer(w, e, err)
}

// Erase removes what the relay holds of a person, or with dry says what it would
// remove.
func (c *Client) Erase(ctx context.Context, p Person, dry bool) (Erasure, error) {
	q := url.Values{"call": {p.Call}, "ani": {p.Number}}
	if dry {
		q.Set("dry", "1")
	}
	return ask[Erasure](ctx, c, http.MethodPost, "/v1/erase?"+q.Encode(), nil)
}
