package web

import (
	"context"
	"net/http"

	"callrelay/queue"
)

func (s *Socket) doctor(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, s.relay.Doctor(r.Context()))
}

// Doctor has the relay look through its queue.
func (c *Client) Doctor(ctx context.Context) ([]queue.Finding, error) {
	return ask[[]queue.Finding](ctx, c, http.MethodGet, "/v1/doctor", nil)
}
