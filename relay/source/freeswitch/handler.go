package freeswitch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
)

// MaxDocument is the longest document that is taken, in bytes.
const MaxDocument = 4 << 20

// Intake takes documents as mod_json_cdr posts them.
type Intake struct {
	Converter Converter

	Emit   source.Emit  // takes their events
	Ledger *Ledger      // what was taken before; nil: the queue alone knows
	Log    *slog.Logger // nil: none
}

// ServeHTTP answers 202 when every event of a document is durable. A document
// that was answered otherwise can be sent again. The module tries again, and
// spools what it could not deliver, at every status but 2xx. A module that
// hangs up meanwhile does not stop the document from being taken whole.
func (n *Intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxDocument))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	events, err := n.Converter.Convert(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	ids, err := n.take(context.WithoutCancel(r.Context()), events)
	if err != nil {
		refuse(w, status(err), err)
		return
	}
	answer(w, http.StatusAccepted, map[string]any{"accepted": len(ids), "ids": ids})
}

// take takes the events of a document that are not known yet, in order, and
// returns the ids of all that are taken.
func (n *Intake) take(ctx context.Context, events []source.Event) (ids []string, err error) {
	ids = []string{}
	bodies := make([][]byte, len(events))
	for i, o := range events {
		bodies[i] = o.Body
	}
	errs := n.Ledger.emit(n.Emit, n.Log)(ctx, bodies)
	for i, o := range events {
		if errs[i] == nil {
			ids = append(ids, o.ID)
		}
	}
	n.save()
	return ids, cmp.Or(errs...)
}

// save keeps what was taken. When that fails the events are safe all the same;
// only a replay could deliver them again.
func (n *Intake) save() {
	if n.Ledger == nil {
		return
	}
	n.Ledger.Note(aDocument)
	if err := n.Ledger.Save(); err != nil && n.Log != nil {
		n.Log.Error("known ids of FreeSWITCH not saved", "err", err)
	}
}

// status distinguishes an event that is refused for good from a queue that takes none.
func status(err error) int {
	if _, ok := errors.AsType[*callevent.Error](err); ok {
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
