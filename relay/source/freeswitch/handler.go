package freeswitch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"callrelay/relay/call"
)

// MaxDocument is the longest document that is taken, in bytes.
const MaxDocument = 4 << 20

// Handler takes documents as mod_json_cdr posts them, and answers 202 when
// every event of one is durable. A document that was answered otherwise can be
// sent again: accept knows events by their ids. The module tries again, and
// spools what it could not deliver, at every status but 2xx.
func Handler(c Converter, accept func(ctx context.Context, event []byte) (ids []string, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxDocument))
		if err != nil {
			refuse(w, http.StatusRequestEntityTooLarge, err)
			return
		}
		events, err := c.Convert(body)
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		ids := []string{}
		for _, event := range events {
			more, err := accept(r.Context(), event)
			if err != nil {
				refuse(w, status(err), err)
				return
			}
			ids = append(ids, more...)
		}
		answer(w, http.StatusAccepted, map[string]any{"accepted": len(ids), "ids": ids})
	})
}

// status tells an event that is refused for good from a queue that takes none.
func status(err error) int {
	if _, ok := errors.AsType[*call.Error](err); ok {
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

func refuse(w http.ResponseWriter, status int, err error) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	answer(w, status, map[string]any{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the status is what counts
}
