package daemon

import (
	"log/slog"
	"testing"

	"callrelay/config"
)

func TestAClusterAndAHubAreTakenFromTheConfiguration(t *testing.T) {
	c := &config.Config{Queue: config.Queue{
		Servers: []string{"nats://127.0.0.1:4222"}, Replicas: 3, Site: "berlin", Spool: true, TLS: &config.TLS{},
		Hub: &config.Hub{URLs: []string{"nats-leaf://hub:7422"}, Domain: "edge1", TLS: &config.TLS{}},
	}}
	o := QueueOptions(c)
	if len(o.Servers) != 1 || o.Replicas != 3 || o.Site != "berlin" || !o.Spool || o.TLS == nil {
		t.Errorf("cluster: %+v", o)
	}
	h := HubOf(&c.Queue, "1.0")
	if h == nil || h.URLs[0] != "nats-leaf://hub:7422" || h.Name != "edge1" || h.Version != "1.0" || h.TLS == nil {
		t.Errorf("hub: %+v", h)
	}
}

// TestTheSourceOfADocument is found where there is one FreeSWITCH, or by whom it
// has met.
func TestTheSourceOfADocument(t *testing.T) {
	one := config.Source{Name: "fs1", Type: config.SourceFreeSWITCH, RecordingsFrom: "/rec"}
	other := config.Source{Name: "fs2", Type: config.SourceFreeSWITCH}
	pbx := config.Source{Name: "pbx", Type: config.SourceAsterisk}
	for _, test := range []struct {
		name    string
		sources []config.Source
		met     string
		want    string
	}{
		{"the only one", []config.Source{pbx, one}, "", "fs1"},
		{"the one that has met it", []config.Source{one, other}, "fs2", "fs2"},
		{"not known which", []config.Source{one, other}, "", ""},
		{"none", []config.Source{pbx}, "pbx", ""},
	} {
		if got, _ := sourceOf(&config.Config{Sources: test.sources}, test.met); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestARelayThatTracesStops has it closed without a collector that answers.
func TestARelayThatTracesStops(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	p, err := New(t.Context(), Options{Log: slog.New(slog.DiscardHandler), Config: writeConfig(t, "[queue]\nlisten = \"\"\n[admin]\nlisten = \"\"\n")})
	if err != nil {
		t.Fatal(err)
	}
	if p.tracer == nil {
		t.Error("nothing is traced")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
