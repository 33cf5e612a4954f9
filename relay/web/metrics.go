package web

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry makes the registry of one relay, with what the process itself
// says and relay_build_info.
func NewRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	promauto.With(r).NewGauge(prometheus.GaugeOpts{
		Name:        "relay_build_info",
		Help:        "Always 1; the labels are the version that runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}).Set(1)
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// stateCollector reads the metrics of queue and configuration from the status
// at each scrape, so that page, commands and metrics never disagree.
type stateCollector struct {
	verdict func() string
	queue   func() Queue
	config  func() Config
}

// CollectState registers relay_state, relay_queue_* and relay_config_* with r.
// The functions are called at each scrape.
func CollectState(r prometheus.Registerer, verdict func() string, queue func() Queue, config func() Config) {
	r.MustRegister(&stateCollector{verdict: verdict, queue: queue, config: config})
}

func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{relayState, queueBytes, queueMaxBytes, queueLost, queueDegraded, reloadSuccess, reloadTime, configInfo} {
		ch <- d
	}
}

func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	verdict := c.verdict()
	for _, word := range Verdicts() {
		in := 0.0
		if word == verdict {
			in = 1
		}
		gauge(relayState, in, word)
	}
	q := c.queue()
	gauge(queueBytes, float64(q.Bytes))
	gauge(queueMaxBytes, float64(q.MaxBytes))
	gauge(queueLost, float64(q.Lost))
	gauge(queueDegraded, oneIf(q.Degraded))

	cfg := c.config()
	gauge(reloadSuccess, oneIf(cfg.Success))
	gauge(reloadTime, float64(cfg.Since.UnixMilli())/1000)
	gauge(configInfo, 1, cfg.Fingerprint)
}

var (
	relayState = prometheus.NewDesc("relay_state",
		"How the relay is: 1 for healthy, held up, degraded or unhealthy, 0 for the others.", []string{"state"}, nil)
	queueBytes = prometheus.NewDesc("relay_queue_bytes",
		"Bytes that the queue holds on disk.", nil, nil)
	queueMaxBytes = prometheus.NewDesc("relay_queue_max_bytes",
		"Bytes that the queue may hold; near it the oldest deliveries overflow.", nil, nil)
	queueLost = prometheus.NewDesc("relay_queue_lost_records",
		"Records that went with streams that somebody deleted or made anew.", nil, nil)
	queueDegraded = prometheus.NewDesc("relay_queue_degraded",
		"Whether events are spooled, a service stands still or nobody keeps the site (1), or all is well (0).", nil, nil)
	reloadSuccess = prometheus.NewDesc("relay_config_reload_success",
		"Whether the last load of the configuration succeeded (1) or was refused (0).", nil, nil)
	reloadTime = prometheus.NewDesc("relay_config_reload_timestamp_seconds",
		"When the configuration in force was loaded, in seconds since 1970.", nil, nil)
	configInfo = prometheus.NewDesc("relay_config_info",
		"Always 1; the label is the fingerprint of the configuration in force.", []string{"fingerprint"}, nil)
)

// CollectHub registers relay_hub_linked with r.
func CollectHub(r prometheus.Registerer, linked func() bool) {
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "relay_hub_linked",
		Help: "Whether the queue is linked to its hub (1) or the hub is away (0). Only with queue.hub.",
	}, func() float64 { return oneIf(linked()) })
}

func oneIf(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// MetricsHandler answers a scrape with what is registered and what more appends,
// in the text format, which every scraper reads. It is not compressed, as that
// takes longer than all the rest.
func MetricsHandler(g prometheus.Gatherer, more func([]byte) []byte) http.Handler {
	registered := promhttp.HandlerFor(g, promhttp.HandlerOpts{DisableCompression: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Header.Del("Accept")
		registered.ServeHTTP(w, r)
		if more != nil {
			_, _ = w.Write(more(nil))
		}
	})
}
