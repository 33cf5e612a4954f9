package recordings

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"callrelay/relay/limit"
)

// Limits of the built-in server.
const (
	HeaderTimeout = 10 * time.Second // to read a request's headers
	RefuseTimeout = 30 * time.Second // to write an answer that is no recording
	IdleTimeout   = 2 * time.Minute  // of a connection between two requests
	Connections   = 512              // at a time
	ShutdownGrace = 5 * time.Second  // for the downloads under way at the end
)

// Listen makes the folder where it is missing and binds the configured address,
// so that a fault shows before anything has begun; Serve does it where it was
// not done. The address is nil when another web server serves the recordings.
func (r *Recordings) Listen() (net.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.root.make(); err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	if r.listen == "" {
		return nil, nil
	}
	if r.listener != nil {
		return r.listener.Addr(), nil
	}
	ln, err := net.Listen("tcp", r.listen)
	if err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	r.listener = limit.Listen(ln, limit.Options{Places: limit.Scale(Connections), Crowd: true, Whole: r.whole, Descriptors: r.descriptors})
	return ln.Addr(), nil
}

// Serve takes up the late recordings of before a restart, and answers on the
// configured address until ctx ends, then lets downloads under way finish for
// [ShutdownGrace] and returns nil. It returns nil at once when another web
// server serves the recordings.
func (r *Recordings) Serve(ctx context.Context) error {
	r.pending.load()
	addr, err := r.Listen()
	if err != nil || addr == nil {
		return err
	}
	ln := r.listener
	if r.tls != nil {
		certs := &certificates{cert: r.tls.Cert, key: r.tls.Key, log: r.log}
		if _, err := certs.get(nil); err != nil {
			_ = ln.Close()
			return fmt.Errorf("recordings: %w", err)
		}
		ln = tls.NewListener(ln, certs.config(r.tls.MinVersion))
	}
	srv := &http.Server{
		Handler: r.Handler(), ReadHeaderTimeout: HeaderTimeout, WriteTimeout: RefuseTimeout, IdleTimeout: IdleTimeout,
		MaxHeaderBytes: limit.HeadBytes, ConnContext: limit.WithConn, ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if err := limit.Serve(ctx, srv, ln, ShutdownGrace); err != nil {
		return fmt.Errorf("recordings: %w", err)
	}
	return nil
}

// whole reports whether the server can begin: with TLS at the first byte.
func (r *Recordings) whole(head []byte) bool {
	return r.tls != nil && len(head) > 0 || limit.WholeHead(head)
}
