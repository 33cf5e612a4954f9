package recordings

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"callrelay/relay/limit"
	"callrelay/relay/recordings/link"
	"callrelay/relay/recordings/wav"
)

// A client may take so long for each part of a recording.
const (
	sendTime = 30 * time.Second
	sendPart = 256 << 10 // bytes
)

// A responder answers requests for recordings. Safe for concurrent use.
type responder struct {
	settings atomic.Pointer[settings]
	root     *root
	files    *fileCache
	tokens   *tokens
	clients  *clients
	guesses  *limit.Guesses // of links and passwords
	log      *slog.Logger
	metrics  metrics
}

// Handler returns the recording server: GET and HEAD of the links that
// [Recordings.Link] gives, below the path of the configured address. It lists
// nothing.
func (r *responder) Handler() http.Handler { return http.HandlerFunc(r.serve) }

func (r *responder) serve(rw http.ResponseWriter, req *http.Request) {
	began := time.Now()
	w := &response{ResponseWriter: rw, status: http.StatusOK}
	client := limit.Client(req, r.settings.Load().TrustedProxies)
	g, err := r.answer(w, req, client)
	if err != nil {
		refuse(w, err, r.guessed(req.Context(), client, err))
	}
	r.metrics.count(w.status, w.bytes)
	r.logAccess(req, client, g, w, err, time.Since(began))
}

// answer sends what the request opens. After an error nothing has been sent.
func (r *responder) answer(w *response, req *http.Request, client netip.Addr) (grant, error) {
	switch {
	case !r.clients.ask(client):
		return grant{}, &refusal{http.StatusTooManyRequests, errTooMany, false}
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		return grant{}, &refusal{http.StatusMethodNotAllowed, errMethod, false}
	}
	s := r.settings.Load()
	ask := request{client: client, path: req.URL.EscapedPath(), query: req.URL.RawQuery}
	ask.name, ask.password, ask.login = req.BasicAuth()
	g, err := r.admit(req.Context(), s, ask)
	if err != nil {
		return g, err
	}
	limit.OfRequest(req).Prove()
	return g, r.send(w, req, g)
}

// send answers with a file, or a slice of it.
func (r *responder) send(w *response, req *http.Request, g grant) error {
	file, info, err := r.root.open(g.name)
	if gone(err) {
		g.name, _, _ = r.root.find(g.name)
		file, info, err = r.root.open(g.name)
	}
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = file.Close() }()
	c, err := r.contentOf(file, info, g)
	if err != nil {
		return unavailable(err)
	}
	kind := waveType
	if c.head == nil {
		kind = kindOf(g.name, file)
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Etag", etag(info, c, g.slice))
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, req, "", info.ModTime(), c)
	return nil
}

// contentOf returns the file, with a header that it lacks, or a slice of it.
func (r *responder) contentOf(file *os.File, info fs.FileInfo, g grant) (*content, error) {
	if g.slice.Whole() && (r.files.raw() == nil || !isRaw(g.name)) {
		return wholeContent(file, info, wav.Info{}), nil
	}
	w, err := r.files.wave(g.name, file, info)
	if err != nil {
		return nil, err
	}
	return partContent(file, info, w, g.slice)
}

// unavailable is the refusal of a file that the client may have and that is
// not to be had. The relay's own trouble passes; all else is not found.
func unavailable(err error) error {
	status := http.StatusNotFound
	if barred(err) && !errors.Is(err, fs.ErrPermission) {
		status = http.StatusServiceUnavailable
	}
	return &refusal{status, errors.Join(errUnavailable, err), false}
}

// etag names the bytes that are served, as long as nobody changes a file and
// sets its time back.
func etag(info fs.FileInfo, c *content, s link.Slice) string {
	b := strconv.AppendInt(append(make([]byte, 0, 64), '"'), info.ModTime().UnixNano(), 36)
	b = strconv.AppendInt(append(b, '-'), info.Size(), 36)
	if c.head != nil {
		b = strconv.AppendInt(append(b, '-'), c.at, 36)
		b = strconv.AppendInt(append(b, '-'), c.n, 36)
	}
	return string(append(b, '"'))
}

// guessed counts a refusal that was for a wrong secret, and reports whether the
// client has given too many.
func (r *responder) guessed(ctx context.Context, client netip.Addr, err error) (often bool) {
	wrong, ok := errors.AsType[*refusal](err)
	return ok && wrong.guessed && r.guesses.Wrong(ctx, client)
}

// refuse answers with a refusal and ends the connection. A client that guessed
// too often does not learn any more whether it was right to be refused.
func refuse(w http.ResponseWriter, err error, often bool) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusInternalServerError, cause: err}
	}
	status := r.status
	if often {
		status = http.StatusTooManyRequests
	}
	h := w.Header()
	h.Set("Connection", "close")
	h.Set("Cache-Control", "no-store")
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="recordings", charset="UTF-8"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, HEAD")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	text := http.StatusText(status)
	if errors.Is(err, link.ErrExpired) {
		text = err.Error() // the signature was right
	}
	http.Error(w, text, status)
}

// logAccess records one request, without what would open the link again.
func (r *responder) logAccess(req *http.Request, client netip.Addr, g grant, w *response, err error, elapsed time.Duration) {
	level, text := slog.LevelInfo, "recording served"
	if err != nil {
		text = "recording refused"
	}
	if w.status == http.StatusTooManyRequests {
		level = slog.LevelDebug // such a client could fill the log
	}
	if !r.log.Enabled(req.Context(), level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 10),
		slog.String("client", client.String()), slog.String("method", req.Method), slog.String("recording", g.name),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("elapsed", elapsed),
	)
	if g.access != "" {
		attrs = append(attrs, slog.String("access", g.access))
	}
	if g.user != "" {
		attrs = append(attrs, slog.String("user", g.user))
	}
	if part := g.slice.String(); part != "" {
		attrs = append(attrs, slog.String("slice", part))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	r.log.LogAttrs(req.Context(), level, text, attrs...)
}

// response counts what is answered, and keeps the way open on which the kernel
// sends a file by itself.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the status.
func (w *response) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (w *response) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom sends a content in its parts: [http.ServeContent] would copy it as
// one reader, which is no file.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	limited, ok := src.(*io.LimitedReader)
	if c, isContent := limitedContent(limited); ok && isContent {
		for err == nil && limited.N > 0 {
			var part int64
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTime)) // recorders have none
			part, err = c.copyTo(w.ResponseWriter, min(limited.N, sendPart))
			n, limited.N = n+part, limited.N-part
		}
	} else {
		n, err = io.Copy(w.ResponseWriter, src)
	}
	w.bytes += n
	return n, err
}

func limitedContent(r *io.LimitedReader) (*content, bool) {
	if r == nil {
		return nil, false
	}
	c, ok := r.R.(*content)
	return c, ok
}

// Unwrap serves [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
