package strangers

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// A kind is what a peer does with a connection, for as long as it has it.
type kind struct {
	name string
	send string // at once
	read bool   // what comes is read
	more bool   // it is sent again and again, as far as it is taken
}

// httpKinds are peers of a listener that speaks HTTP.
func httpKinds(unread string) []kind {
	return []kind{
		{"silent", "", true, false},
		{"refused", "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", true, false},
		{"half-sending", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 12<<10), true, false},
		{"not reading", "GET " + unread + " HTTP/1.1\r\nHost: localhost\r\n\r\n", false, true},
	}
}

// natsKinds are peers of the queue's listener.
func natsKinds() []kind {
	return []kind{
		{"silent", "", true, false},
		{"refused", `CONNECT {"user":"inspect","pass":"guess"}` + "\r\nPING\r\n", true, false},
		{"half-sending", `CONNECT {"user":"inspect`, true, false},
		{"not reading", "PING\r\n", false, true},
	}
}

// socketKinds are peers of the intake socket, by a user who may send.
func socketKinds() []kind {
	event := `{"event":"dequeue","agent_notes":"` + strings.Repeat("n", 6000) + "\"}\n"
	return []kind{
		{"silent", "", true, false},
		{"refused", "{\"event\":1}\n", true, false},
		{"half-sending", `{"event":"dequeue","pad":"` + strings.Repeat("x", 200<<10), true, false},
		{"not reading", event, false, true},
	}
}

// crowd has so many peers of each kind, which come again when they are let go,
// until ctx ends.
func crowd(ctx context.Context, network, address string, kinds []kind, each int) {
	var peers sync.WaitGroup
	for _, k := range kinds {
		for range each {
			peers.Go(func() {
				for ctx.Err() == nil {
					k.visit(ctx, network, address)
					select {
					case <-ctx.Done():
					case <-time.After(time.Second):
					}
				}
			})
		}
	}
	peers.Wait()
}

// visit connects once and stays until it is let go.
func (k kind) visit(ctx context.Context, network, address string) {
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer c.Close() //nolint:errcheck // nothing was kept
	_, err = io.WriteString(c, k.send)
	for n := 0; k.more && err == nil && n < 4<<20; n += len(k.send) {
		_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
		_, err = io.WriteString(c, k.send)
	}
	if k.read {
		_, _ = io.Copy(io.Discard, c)
	}
}
