package web

import (
	"cmp"
	"net/http"
)

// letters streams dead letters, one JSON object a line, without their bodies
// unless asked for.
func (s *Socket) letters(w http.ResponseWriter, r *http.Request) {
	f, err := ParseFilter(r.URL.Query())
	if err != nil {
		writeError(w, err)
		return
	}
	lines := newLines(w)
	bodies, stories := r.URL.Query().Has("body"), r.URL.Query().Has("story")
	var failed error
	err = s.relay.Letters.Letters(r.Context(), f, func(l Letter) bool {
		if !bodies {
			l.Body = nil
		}
		if stories {
			failed = s.relay.Letters.Story(r.Context(), &l)
		}
		return lines.write(l) && failed == nil
	})
	lines.end(cmp.Or(err, failed))
}

// replay answers with progress lines; the last one says that it is done. When
// the reader goes away the replay stops, and what was put back stays so.
func (s *Socket) replay(w http.ResponseWriter, r *http.Request) {
	f, err := ParseFilter(r.URL.Query())
	if err != nil {
		writeError(w, err)
		return
	}
	lines := newLines(w)
	lines.flush()
	moved := 0
	n, err := s.relay.Letters.Replay(r.Context(), f, func(Letter) {
		if moved++; moved%letterBatch == 0 {
			lines.write(progress{Count: moved})
			lines.flush()
		}
	})
	lines.finish(n, err)
}

func (s *Socket) dropLetters(w http.ResponseWriter, r *http.Request) {
	f, err := ParseFilter(r.URL.Query())
	if err != nil {
		writeError(w, err)
		return
	}
	lines := newLines(w)
	lines.flush()
	n, err := s.relay.Letters.Drop(r.Context(), f)
	lines.finish(n, err)
}
