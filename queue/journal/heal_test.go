package journal

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"callrelay/queue/engine"
)

func TestNothingBeginsOnceTheStoreCloses(t *testing.T) {
	t.Parallel()
	r := newRunner(t.Context(), engine.Options{Log: slog.New(slog.DiscardHandler)}, nil, nil, nil)
	ended := make(chan struct{})
	r.Background(func(ctx context.Context) {
		<-ctx.Done()
		close(ended)
	})
	r.finish()
	select {
	case <-ended:
	default:
		t.Error("what ran in the background was not waited for")
	}
	var late atomic.Bool
	r.Background(func(context.Context) { late.Store(true) })
	r.work.Wait()
	if late.Load() {
		t.Error("something began after the end, beside who waits for it")
	}
}
