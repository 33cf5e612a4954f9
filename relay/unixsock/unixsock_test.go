package unixsock

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "a.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second listener: %v", err)
	}
	_ = first.UnixListener.Close() // as when the process is killed
	second, err := Listen(path)
	if err != nil {
		t.Fatalf("stale socket: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	third, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Error("another one's socket was removed")
	}
	_ = third.Close()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "a file, which is not touched") {
		t.Errorf("file in the way: %v", err)
	}
}

func TestPeerAndClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	peers := make(chan uint32, 1)
	srv := &http.Server{ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		uid, err := PeerUID(c)
		if err != nil {
			t.Error(err)
		}
		peers <- uid
		return ctx
	}}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close() //nolint:errcheck // the test is over
	resp, err := Client(path).Get("http://relay/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if uid := <-peers; int(uid) != os.Getuid() {
		t.Errorf("peer %d, want %d", uid, os.Getuid())
	}
	if _, err := PeerUID(&net.TCPConn{}); err == nil {
		t.Error("a TCP connection has a peer")
	}
}
