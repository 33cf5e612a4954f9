package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// letters streams dead letters, one JSON object a line, without their bodies
// unless asked for.
func (s *Socket) letters(w http.ResponseWriter, r *http.Request, f Filter) {
	lines := newLines(w)
	bodies, stories := r.URL.Query().Has("body"), r.URL.Query().Has("story")
	found := 0
	var failed error
	err := s.relay.Letters.Letters(r.Context(), f, func(l Letter) bool {
		if found++; !bodies {
			l.Body = nil
		}
		if stories {
			failed = s.relay.Letters.Story(r.Context(), &l)
		}
		return lines.write(l) && failed == nil
	})
	lines.end(cmp.Or(s.relay.unknown(f, found, err), failed))
}

// move answers with progress lines; the last one says that it is done. When the
// reader goes away it stops, and what was done stays so.
func (s *Socket) move(w http.ResponseWriter, r *http.Request, f Filter) {
	lines := newLines(w)
	lines.flush()
	moved := 0
	done, err := s.relay.move(r.Context(), r.PathValue("change"), f, func() {
		if moved++; moved%letterBatch == 0 {
			lines.write(progress{Count: moved})
			lines.flush()
		}
	})
	lines.write(progress{Count: done.Count, Done: err == nil, Orphaned: done.Orphaned})
	lines.end(err)
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

// move replays or drops letters. Of those put back it looks which wait for nobody.
func (r *Relay) move(ctx context.Context, change string, f Filter, each func()) (Moved, error) {
	switch change {
	case Replay:
	case DropLetters:
		n, err := r.Letters.Drop(ctx, f)
		return Moved{Count: n}, r.unknown(f, n, err)
	default:
		return Moved{}, fmt.Errorf("%w: %q is nothing to do to dead letters", ErrRefused, change)
	}
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
	return Moved{n, slices.Sorted(maps.Keys(services))}, r.unknown(f, n, err)
}

// unknown is err, or that there is no such service as none of its letters was
// found: what the status counts lags behind what there is.
func (r *Relay) unknown(f Filter, found int, err error) error {
	if err == nil && found == 0 {
		err = r.Status().Known(f.Service)
	}
	return err
}
