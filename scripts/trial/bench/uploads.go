package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

// measureUploads compares recordings that are sent with curl's, and ten services beside one that uploads with the same ten alone.
func measureUploads(s *session, t *table) {
	for _, f := range []struct {
		name     string
		bytes, n int
		goal     string
	}{{"100 MiB", 100 << 20, 6, "0.8"}, {"64 KiB", 64 << 10, 400, "0.5"}} {
		const rounds = 3
		var ratios []float64
		for range rounds {
			ratios = append(ratios, uploads(s, f.bytes, max(2, int(float64(f.n)*s.scale))))
		}
		t.ratio("uploads/s of "+f.name+", one at a time", median(ratios), "curl with the same file and receiver; goal: "+f.goal)
	}
	n := s.count(4000)
	alone := s.tenServices(n, "", nil)
	beside := besideUploads(s, n)
	t.ratio("ten services beside one that uploads 2 MiB/s", beside/alone, "the same ten alone; goal: 0.95")
}

// wave writes a complete recording of so many bytes.
func wave(s *session, path string, bytes int) {
	s.check(os.MkdirAll(filepath.Dir(path), 0o700))
	s.check(os.WriteFile(path, trial.Wave((bytes-trial.WaveHeader)/2), 0o600))
}

// uploads returns how many uploads a second the relay makes of a file, as a part of how many curl makes. What counts is
// the time from the first that arrives to the last.
func uploads(s *session, bytes, n int) float64 {
	k := newSink(s)
	r := trial.Start(s, s.binary, recordings(trial.FreeAddress(s), "")+
		fmt.Sprintf("[[service]]\nname = \"up\"\nmethod = \"PUT\"\nurl = \"%s/a\"\nfile = \"#recording_file#\"\nconcurrency = 1\n", k.url)+trial.Binding("up"))
	path := filepath.Join(r.Path("recordings"), "a.wav")
	wave(s, path, bytes)
	var config strings.Builder
	for i := range n + 1 {
		if i > 0 {
			config.WriteString("next\n")
		}
		fmt.Fprintf(&config, "silent\noutput = /dev/null\nupload-file = %q\nurl = \"%s/a\"\n", path, k.url)
	}
	s.check(os.WriteFile(r.Path("curl"), []byte(config.String()), 0o600))
	curl := exec.Command("curl", "-K", r.Path("curl"))
	s.check(curl.Start())
	byCurl := between(s, k, n)
	s.check(curl.Wait())
	k.count.Store(0)
	events := make([]string, n+1)
	for i := range events {
		events[i] = fmt.Sprintf(`{"event":"agent_termination","id":"u%d","recording":"a.wav"}`, i)
	}
	r.Accept(events...)
	return byCurl.Seconds() / between(s, k, n).Seconds()
}

// between is the time from the first request that arrives to the n-th after it.
func between(s *session, k *sink, n int) time.Duration {
	k.await(s, 1, time.Now(), time.Minute)
	return k.await(s, n+1, time.Now(), 5*time.Minute)
}

// besideUploads is [session.tenServices] beside a service that uploads all the time.
func besideUploads(s *session, n int) float64 {
	up := newSink(s)
	more := recordings(trial.FreeAddress(s), "") +
		fmt.Sprintf("[[service]]\nname = \"up\"\nmethod = \"PUT\"\nurl = %q\nfile = \"#recording_file#\"\nmax_rate = \"2MiB\"\n", up.url) +
		strings.Replace(trial.Binding("up"), "agent_termination", "post_call", 1)
	rate := s.tenServices(n, more, func(r *trial.Relay) {
		wave(s, filepath.Join(r.Path("recordings"), "a.wav"), 100<<20)
		r.Accept(`{"event":"post_call","recording":"a.wav"}`, `{"event":"post_call","recording":"a.wav","n":1}`)
		r.Until("it uploads", func() bool {
			return !strings.HasPrefix(r.Metric(`relay_pending{service="up"}`), "0") && up.began.Load() > 0
		})
	})
	if up.count.Load() > 0 {
		s.Fatalf("the uploads were over before the rest")
	}
	return rate
}
