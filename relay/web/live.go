package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

const liveEvery = 2 * time.Second

// liveServices streams to so many visitors at a time with the token, and to so
// many without: those share what is rendered.
func (p *pages) liveServices() http.Handler {
	known := atOnce(maxVisitors, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.stream(w, r, func() ([]byte, error) { return liveEvent(p.templates, "services-live", p.servicesView(r)) })
	}))
	others := atOnce(maxVisitors, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.stream(w, r, p.publicLive.get) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.door.knows(r) {
			known.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func (p *pages) liveService(w http.ResponseWriter, r *http.Request) {
	p.stream(w, r, func() ([]byte, error) {
		v, err := p.serviceView(r)
		if err != nil {
			return nil, err
		}
		return liveEvent(p.templates, "service-live", v)
	})
}

// liveEvent is the live part of a page as a server-sent event.
func liveEvent(t *template.Template, name string, v view) ([]byte, error) {
	page, err := render(t, name, v)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(string(page))
	return fmt.Appendf(nil, "event: page\ndata: %s\n\n", text), err
}

// stream sends an event whenever it has changed, until the visitor leaves, the
// session ends or the server stops.
func (p *pages) stream(w http.ResponseWriter, r *http.Request, event func() ([]byte, error)) {
	w.Header().Set("Content-Type", "text/event-stream")
	full := p.door.knows(r)
	flusher := http.NewResponseController(w)
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var last []byte
	for {
		next, err := event()
		if err != nil || p.door.knows(r) != full {
			return
		}
		if !bytes.Equal(next, last) {
			_, _ = w.Write(next)
			last = next
		} else {
			_, _ = fmt.Fprint(w, ": still here\n\n")
		}
		if flusher.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
