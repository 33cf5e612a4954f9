package limit

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Serve runs a server until ctx ends; then what is under way has some time, and
// the rest is cut off. It returns nil when it ended so.
func Serve(ctx context.Context, server *http.Server, l net.Listener, grace time.Duration) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(drain) != nil {
			_ = server.Close()
		}
	}()
	err := server.Serve(l)
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-stopped
	return nil
}
