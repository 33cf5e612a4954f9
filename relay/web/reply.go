package web

import (
	"encoding/json"
	"errors"
	"net/http"
)

// failure is the answer to a request that was not done, and the last line of a
// stream that broke off.
type failure struct {
	Failed string `json:"failed"`
}

// progress is how far a replay, or another change of many, has come.
type progress struct {
	Count int  `json:"count"`
	Done  bool `json:"done,omitempty"`

	Orphaned []string `json:"orphaned,omitempty"` // see [Moved]
	Resent   *Resent  `json:"resent,omitempty"`
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// answer writes a value, or why there is none.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, v)
}

// filtered gives a handler the dead letters that a request means.
func filtered(next func(w http.ResponseWriter, r *http.Request, f Filter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := ParseFilter(r.URL.Query())
		if err != nil {
			writeError(w, err)
			return
		}
		next(w, r, f)
	}
}

func writeError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, ErrNoService):
		status = http.StatusNotFound
	case errors.Is(err, ErrRefused):
		status = http.StatusConflict
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(failure{Failed: err.Error()})
}

// lines writes newline-delimited JSON. After a failed write it writes no more.
type lines struct {
	w       http.ResponseWriter
	encoder *json.Encoder
	err     error
}

func newLines(w http.ResponseWriter) *lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return &lines{w: w, encoder: json.NewEncoder(w)}
}

func (l *lines) write(v any) bool {
	if l.err == nil {
		l.err = l.encoder.Encode(v)
	}
	return l.err == nil
}

func (l *lines) flush() { _ = http.NewResponseController(l.w).Flush() }

// end reports an error that came after the first line.
func (l *lines) end(err error) {
	if err != nil {
		l.write(failure{Failed: err.Error()})
	}
}
