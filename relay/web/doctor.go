package web

import (
	"context"
	"net/http"
)

// Finding is what an examination found of one thing.
type Finding struct {
	Level string `json:"level"` // ok, warning or fault
	What  string `json:"what"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // what to do about it
}

func (s *Socket) doctor(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, s.relay.Doctor(r.Context()))
}

// Doctor has the relay look through its queue.
func (c *Client) Doctor(ctx context.Context) ([]Finding, error) {
	return ask[[]Finding](ctx, c, http.MethodGet, "/v1/doctor", nil)
}
