package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
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
	done, err := s.relay.replay(r.Context(), f, func() {
		if moved++; moved%letterBatch == 0 {
			lines.write(progress{Count: moved})
			lines.flush()
		}
	})
	lines.finish(done, err)
}

// Moved is what was replayed or dropped.
type Moved struct {
	Count    int      // of dead letters
	Orphaned []string // services that deliveries were put back for and that are not configured, by name
}

// Warning says that nothing sends what was put back; empty: all of it goes out.
func (m Moved) Warning() string {
	if len(m.Orphaned) == 0 {
		return ""
	}
	return "put back for no configured service, so orphaned again: what is of " + strings.Join(m.Orphaned, ", ")
}

// replay puts letters back, and looks which of them wait for nobody.
func (r *Relay) replay(ctx context.Context, f Filter, each func()) (Moved, error) {
	services := map[string]bool{}
	n, err := r.Letters.Replay(ctx, f, func(l Letter) {
		services[l.Service] = true
		each()
	})
	for _, s := range r.Status().Services {
		if s.State != "orphaned" {
			delete(services, s.Name)
		}
	}
	return Moved{n, slices.Sorted(maps.Keys(services))}, err
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
	lines.finish(Moved{Count: n}, err)
}
