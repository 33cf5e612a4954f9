package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const liveEvery = 2 * time.Second

func (p *pages) liveServices(w http.ResponseWriter, r *http.Request) {
	p.stream(w, r, "services-live", func() (view, error) { return p.servicesView(r), nil })
}

func (p *pages) liveService(w http.ResponseWriter, r *http.Request) {
	p.stream(w, r, "service-live", func() (view, error) { return p.serviceView(r) })
}

// stream sends the live part of a page as a server-sent event whenever it has
// changed, until the visitor leaves, the session ends or the server stops.
func (p *pages) stream(w http.ResponseWriter, r *http.Request, name string, look func() (view, error)) {
	w.Header().Set("Content-Type", "text/event-stream")
	full := p.door.knows(r)
	flusher := http.NewResponseController(w)
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var last, page bytes.Buffer
	for {
		v, err := look()
		if err != nil || v.Full != full {
			return
		}
		page.Reset()
		if err := p.templates.ExecuteTemplate(&page, name, v); err != nil {
			return
		}
		if !bytes.Equal(page.Bytes(), last.Bytes()) {
			text, err := json.Marshal(page.String())
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(w, "event: page\ndata: %s\n\n", text)
			last, page = page, last
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
