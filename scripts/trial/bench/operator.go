package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

const (
	operatorToken = "a token of the benchmark, at least 32 bytes"
	manyServices  = 200
	looks         = 21 // how often each thing is looked at
)

// measureOperator measures what an operator waits for with 200 services and
// 100,000 dead letters of one: the page, the commands, the scrape at rest and
// under load, and the replay of all letters.
func measureOperator(s *session, t *table) {
	n := s.count(100_000)
	k := newSink(s)
	r := s.manyLetters(k.url, n)
	for _, look := range []struct {
		what, goal string
		at         func()
	}{
		{"page", "goal: below 300 ms", func() { s.page(r, "/") }},
		{"dead letters on the page", "", func() { s.page(r, "/dead") }},
		{"those of a call on the page", "", func() { s.page(r, "/dead?call=U77") }},
		{"relay status", "", func() { s.command(r, "status") }},
		{"relay dead list --call", "", func() { s.command(r, "dead", "list", "--call", "U77") }},
		{"scrape", "goal: below 50 ms", func() { s.page(r, "/metrics") }},
	} {
		t.figure("200 services, "+itoa(n)+" dead letters: "+look.what, timeOf(look.at), look.goal)
	}
	start := time.Now()
	s.command(r, "dead", "replay", "--all")
	t.figure("… replay of all", fmt.Sprintf("%.0f/s", perSecond(n, time.Since(start))), "")
	go s.command(r, "resume", "crm") // all go out
	t.figure("… scrape under that load", timeOf(func() { s.page(r, "/metrics") }), "goal: below 50 ms")
	k.await(s, n, start, 5*time.Minute)
}

// manyLetters starts a relay with many services, one of which has n dead letters.
func (s *session) manyLetters(url string, n int) *trial.Relay {
	var toml strings.Builder
	fmt.Fprintf(&toml, "token = %q\n[queue]\ndir = \"queue\"\nlisten = \"\"\n", operatorToken)
	toml.WriteString(service("crm", url, ""))
	for i := range manyServices - 1 {
		fmt.Fprintf(&toml, "[[service]]\nname = \"s%d\"\nurl = \"http://127.0.0.1:9/%d\"\njson = '{}'\n", i, i)
	}
	r := trial.Start(s, s.binary, toml.String())
	s.command(r, "pause", "crm")
	pipeline(s, r, "o", n)
	rest := strings.ReplaceAll(toml.String(), `"crm"`, `"other"`)
	r.Reload(rest)
	s.command(r, "drop", "crm")
	r.Reload(toml.String())
	return r
}

// page gets a page as who knows the token.
func (s *session) page(r *trial.Relay, path string) {
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+r.Admin+path, nil)
	s.check(err)
	req.Header.Set("Authorization", "Bearer "+operatorToken)
	resp, err := http.DefaultClient.Do(req)
	s.check(err)
	defer resp.Body.Close() //nolint:errcheck // it was only read
	_, err = io.Copy(io.Discard, resp.Body)
	s.check(err)
	if resp.StatusCode != http.StatusOK {
		s.Fatalf("GET %s: status %d", path, resp.StatusCode)
	}
}

// command runs a command of the relay, which must succeed.
func (s *session) command(r *trial.Relay, args ...string) {
	out, err := exec.Command(s.binary, append(args, "-c", r.Path("relay.toml"))...).CombinedOutput()
	if err != nil {
		s.Fatalf("relay %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// timeOf is how long use takes in the middle of many times, and at most.
func timeOf(use func()) string {
	times := make([]time.Duration, looks)
	for i := range times {
		start := time.Now()
		use()
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return fmt.Sprintf("%s, at most %s", ms(times[looks/2]), ms(times[looks-1]))
}
