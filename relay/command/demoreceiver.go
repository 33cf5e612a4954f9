package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A demoReceiver is a web service of some business system: it takes whatever it
// is called with.
type demoReceiver struct {
	webhooks chan webhook
	listener net.Listener
	server   *http.Server
}

// A webhook is one web-service call as it was received.
type webhook struct {
	method, uri string
	header      http.Header
	body        []byte
}

func newDemoReceiver() (*demoReceiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &demoReceiver{webhooks: make(chan webhook, 64), listener: l}
	r.server = &http.Server{Handler: http.HandlerFunc(r.receive), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(l) }()
	return r, nil
}

// URL is where the receiver takes calls.
func (r *demoReceiver) URL() string { return "http://" + r.listener.Addr().String() }

// Close stops the receiver.
func (r *demoReceiver) Close() error { return r.server.Close() }

func (r *demoReceiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case r.webhooks <- webhook{req.Method, req.RequestURI, req.Header, body}:
		w.WriteHeader(http.StatusNoContent)
	case <-req.Context().Done():
	}
}

// String shows the call as it came over the wire, without the lesser headers.
func (w webhook) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s %s\n", w.method, w.uri)
	for _, name := range [...]string{"Content-Type", "User-Agent", "Webhook-Id", "Relay-Attempt"} {
		fmt.Fprintf(&b, "  %s: %s\n", name, w.header.Get(name))
	}
	b.WriteString("\n  ")
	b.Write(bytes.ReplaceAll(w.body, []byte("\n"), []byte("\n  ")))
	return b.String()
}

// verify checks that the webhook is of one of the call's agents, fetches the
// recording through its link, and returns the agent.
func (w webhook) verify(ctx context.Context, c *demoCall) (demoAgent, error) {
	var body struct {
		CallID       string `json:"callId"`
		AgentID      int    `json:"agentId"`
		AgentName    string `json:"agentName"`
		RecordingURL string `json:"recordingUrl"`
	}
	if err := json.Unmarshal(w.body, &body); err != nil {
		return demoAgent{}, fmt.Errorf("read webhook: %w", err)
	}
	for _, agent := range c.agents {
		if body.CallID == c.id && agent.id == body.AgentID && agent.name == body.AgentName {
			return agent, agent.fetch(ctx, body.RecordingURL)
		}
	}
	return demoAgent{}, fmt.Errorf("webhook is of agent %d, who was not in the call", body.AgentID)
}

// fetch gets the recording through its link and compares its size.
func (agent demoAgent) fetch(ctx context.Context, link string) error {
	if link == "" {
		return errors.New("webhook has no link to the recording")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("fetch recording: %w", err)
	}
	defer reply.Body.Close()
	n, err := io.Copy(io.Discard, reply.Body)
	if err != nil {
		return fmt.Errorf("fetch recording: %w", err)
	}
	if reply.StatusCode != http.StatusOK || n != int64(agent.bytes) {
		return fmt.Errorf("fetch recording: %s, %d bytes of %d", reply.Status, n, agent.bytes)
	}
	return nil
}
