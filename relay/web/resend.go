package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"callrelay/queue"
)

// Resent is how many deliveries of a service were put back to be sent again, or
// would be.
type Resent queue.Resent

// String says it in words.
func (r Resent) String() string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{r.Delivered, "delivered before"}, {r.Letters, "dead letters"}} {
		if part.n > 0 {
			parts = append(parts, Thousands(part.n)+" "+part.what)
		}
	}
	text := Thousands(r.Delivered + r.Letters)
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if r.Before > 0 {
		text += fmt.Sprintf("; %s more were put back by the run that was broken off", Thousands(r.Before))
	}
	return text
}

// resend answers with progress lines, as replay does.
func (s *Socket) resend(w http.ResponseWriter, r *http.Request, f Filter) {
	f.Service = r.PathValue("service")
	lines := newLines(w)
	lines.flush()
	done, err := s.relay.Resend(r.Context(), f, r.URL.Query().Has("dry"), func(n int) {
		lines.write(progress{Count: n})
		lines.flush()
	})
	lines.write(progress{Count: done.Delivered + done.Letters, Done: err == nil, Resent: &done})
	lines.end(err)
}

// Resend puts what a service was sent, and its dead letters, back into the queue,
// as f chooses by call and time, and reports the progress. With dry it counts.
func (c *Client) Resend(ctx context.Context, f Filter, dry bool, report func(count int)) (Resent, error) {
	q := f.Query()
	if dry {
		q.Set("dry", "1")
	}
	last, err := c.move(ctx, servicePath(f.Service, "replay?"+q.Encode()), report)
	if last.Resent == nil {
		return Resent{Delivered: last.Count}, err
	}
	return *last.Resent, err
}

// resendForm does it for the page, which gives the time since when.
func (p *pages) resendForm(r *http.Request, service string) (string, error) {
	since, err := parseInstant(url.Values{"since": {r.PostFormValue("since")}}, "since")
	if err != nil {
		return "", err
	}
	if since.IsZero() {
		return "Since when? Nothing was done.", nil
	}
	done, err := p.relay.Resend(r.Context(), Filter{Service: service, Since: since}, false, func(int) {})
	if err != nil {
		return "", fmt.Errorf("put back: %s, then: %w", done, err)
	}
	return fmt.Sprintf("Put back: %s.", done), nil
}
