package queuetest

import (
	"errors"
	"os"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// startTimeout is how long a server may take to be ready.
const startTimeout = 30 * time.Second

// Server returns a cluster for a test that needs one: that of [Variable], or else
// a single server in this process, which syncs as those of a cluster shall.
func Server(t T, dir string) Place {
	t.Helper()
	if p := Cluster(t, dir); len(p.Servers) > 0 {
		return p
	}
	store, err := os.MkdirTemp("", "server")
	if err != nil {
		t.Fatalf("start server: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(store) })
	ns, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: store, SyncAlways: true,
		JetStreamMaxStore: 1 << 40, // what the streams reserve may be more than this disk has free
		NoSigs:            true, NoLog: true, DisableJetStreamBanner: true,
	})
	if err == nil {
		ns.Start()
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		if !ns.ReadyForConnections(startTimeout) {
			err = errors.New("not ready")
		}
	}
	if err != nil {
		t.Fatalf("start server: %v", err)
		return Place{}
	}
	return Place{Servers: []string{ns.ClientURL()}, Site: "test", Replicas: 1}
}
