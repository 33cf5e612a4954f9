package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"callrelay/queue"
)

// edge is an embedded queue that is linked to the hub.
type edge struct {
	stage   *stage
	server  *server
	dir     string
	name    string
	queue   *queue.Queue
	waiting int // as it should be
	dead    int
}

// open opens the queue of an edge, small as it is.
func (e *edge) open() {
	o := queue.Options{
		Dir: e.dir, MaxBytes: 16 << 20, DeadMaxBytes: 16 << 20,
		Hub: &queue.HubOptions{
			URLs: []string{"tls://" + e.server.leaf}, Credentials: e.name + ":" + password(e.name), Name: e.name, Version: "trial",
			TLS: e.server.trust,
		},
	}
	q, err := queue.Open(context.Background(), o)
	if err != nil {
		e.stage.Fatalf("edge %s: %v", e.name, err)
	}
	e.queue = q
	e.stage.Cleanup(func() { _ = q.Close(context.Background()) })
}

func (e *edge) close() {
	if err := e.queue.Close(context.Background()); err != nil {
		e.stage.Fatalf("edge %s: %v", e.name, err)
	}
}

// take accepts deliveries, and gives the first of them up.
func (e *edge) take(waiting, dead int) {
	recs := make([]queue.Record, waiting+dead)
	for i := range recs {
		id := fmt.Sprintf("%s-%d", e.name, i)
		recs[i] = queue.Record{Service: "crm", Event: "post_call", ID: id, Call: id, Body: fmt.Appendf(nil, `{"event":"post_call","id":%q}`, id)}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.queue.Write(ctx, recs); err != nil {
		e.stage.Fatalf("edge %s: %v", e.name, err)
	}
	for e.waiting, e.dead = waiting, 0; e.dead < dead; {
		entries, err := e.queue.Lane("crm").Next(ctx, dead-e.dead)
		if err != nil {
			e.stage.Fatalf("edge %s: %v", e.name, err)
		}
		for _, entry := range entries {
			if err := entry.Bury(queue.Death{Reason: "rejected", Status: 400}); err != nil {
				e.stage.Fatalf("edge %s: %v", e.name, err)
			}
			e.dead++
		}
	}
}

// trust is what an edge believes of certificates.
func (h *server) trust() (*tls.Config, error) {
	pem, err := os.ReadFile(filepath.Join(h.dir, "ca.pem"))
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AppendCertsFromPEM(pem)
	return c, err
}
