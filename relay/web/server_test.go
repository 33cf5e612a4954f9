package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// startServer serves relay on a port of the system's choice.
func startServer(t *testing.T, relay Relay, change func(*Options)) *Server {
	t.Helper()
	registry := NewRegistry("1.0")
	status := relay.Status
	CollectState(registry, func() string { return status().State }, func() Queue { return status().Queue }, func() Config { return status().Config })
	o := Options{
		Listen: "127.0.0.1:0", Relay: relay, Registry: registry,
		Hosts: func() []string { return []string{"relay.example.com"} }, Log: slog.New(slog.DiscardHandler),
		Token: func() string { return "" },
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return s
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

func TestMetrics(t *testing.T) {
	relay, _, _ := fakeRelay()
	_, body := get(t, "http://"+startServer(t, relay, nil).Addr().String()+"/metrics")
	for _, want := range []string{
		"relay_queue_bytes 1000", "relay_queue_max_bytes 4000", "relay_queue_lost_records 0",
		"relay_config_reload_success 1", "relay_config_reload_timestamp_seconds 1.6e+09",
		`relay_config_info{fingerprint="00ff00ff00ff00ff"} 1`,
		`relay_build_info{goversion=`, `version="1.0"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		name                string
		healthy, ready      bool
		wantHealth, wantRdy int
	}{
		{"all is well", true, true, 200, 200},
		{"stopping", true, false, 200, 503},
		{"the queue is frozen", false, true, 503, 503},
	} {
		t.Run(test.name, func(t *testing.T) {
			relay, _, _ := fakeRelay()
			relay.Status = func() Status { return Status{Healthy: test.healthy, Ready: test.ready, Problem: "frozen"} }
			base := "http://" + startServer(t, relay, nil).Addr().String()
			if got, _ := get(t, base+"/healthz"); got != test.wantHealth {
				t.Errorf("/healthz = %d, want %d", got, test.wantHealth)
			}
			if got, _ := get(t, base+"/readyz"); got != test.wantRdy {
				t.Errorf("/readyz = %d, want %d", got, test.wantRdy)
			}
		})
	}
}

func TestGuardHost(t *testing.T) {
	guarded := guardHost(func() []string { return []string{"Relay.example.com"} },
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, test := range []struct {
		host string
		want int
	}{
		{"localhost", 200},
		{"LOCALHOST:9464", 200},
		{"127.0.0.1:9464", 200},
		{"127.9.9.9", 200},
		{"[::1]:9464", 200},
		{"::1", 200},
		{"relay.example.com:9464", 200},
		{"relay.example.com.", 200},
		{"evil.example.com", 403},
		{"localhost.evil.example.com", 403},
		{"127.0.0.1.evil.example.com", 403},
		{"10.0.0.7", 403},
		{"", 403},
	} {
		t.Run(test.host, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Host = test.host
			w := httptest.NewRecorder()
			guarded.ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("Host %q: %d, want %d", test.host, w.Code, test.want)
			}
		})
	}
}
