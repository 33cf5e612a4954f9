package peers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"callrelay/scripts/trial"
)

const (
	nightServices = 200
	nightSick     = 40
	nightLetters  = 100_000
	nightPatience = 300 * time.Millisecond
)

// nightWays are six ways to fail: the endpoint, keys of its service, and what the
// page says of it.
func nightWays(t *testing.T) []struct{ name, url, more, says string } {
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection is not noticed
		<-r.Context().Done()
	}))
	t.Cleanup(hang.Close)
	moved := trial.NewReceiver(t)
	moved.Answer(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://crm.example.com/calls", http.StatusMovedPermanently)
	})
	return []struct{ name, url, more, says string }{
		{"nobody-listens", "http://127.0.0.1:1", "", "nothing listens there"},
		{"endpoint-down", statusOf(t, http.StatusServiceUnavailable), "", "is down or busy"},
		{"wrong-password", statusOf(t, http.StatusUnauthorized), "", "[service.auth]"},
		{"moved", moved.URL, "", `url = "https://crm.example.com/calls"`},
		{"plain-http", strings.Replace(statusOf(t, http.StatusOK), "http:", "https:", 1), "", "speaks plain HTTP"},
		{"hangs", hang.URL, "timeout = \"1s\"", "a longer timeout"},
	}
}

// TestNightIsReadAtOnce has 200 services, 40 of them failing in six ways, and
// 100,000 dead letters. Page and status answer within 300 ms, and the page of one
// service of each way says on one screen what fails, since when, why, and what to
// try. With SHOTS, the name of a folder, it keeps a picture of each.
func TestNightIsReadAtOnce(t *testing.T) {
	const token = "a token for the page, of enough bytes"
	ways, well := nightWays(t), trial.NewReceiver(t)
	var toml strings.Builder
	toml.WriteString("token = \"" + token + "\"\n[queue]\ndir = \"queue\"\nlisten = \"\"\n")
	for n := range nightServices - 1 {
		name, url, more := fmt.Sprintf("well-%03d", n), well.URL, ""
		if n < nightSick {
			way := ways[n%len(ways)]
			name, url, more = fmt.Sprintf("%s-%d", way.name, n), way.url, way.more
		}
		toml.WriteString(trial.Service(name, url, more+"\nretry_schedule = [\"1s\"]"))
	}
	toml.WriteString("[[service]]\nname = \"letters\"\nurl = \"" + well.URL + "\"\njson = '{ \"a\": \"#nothing#\" }'\nmissing = \"reject\"\n[[binding]]\nevent = \"disposition\"\nservice = \"letters\"\n")
	r := trial.Start(t, binary, toml.String())
	r.Accept(trial.Numbered("e", "agent_termination", 20)...)
	for n := range nightLetters / 1000 {
		r.Accept(trial.Numbered(fmt.Sprint("d", n), "disposition", 1000)...)
		r.Until("they are dead letters", func() bool {
			return r.Metric(`relay_dead_letters{reason="render",service="letters"}`) == fmt.Sprint((n+1)*1000)
		})
	}
	for n, way := range ways {
		r.Until(way.name+" is held up", func() bool {
			return r.Metric(fmt.Sprintf("relay_breaker_state{service=\"%s-%d\"}", way.name, n)) == "2"
		})
	}

	jar, err := cookiejar.New(nil)
	see(t, err)
	visitor := &http.Client{Jar: jar}
	reply, err := visitor.PostForm("http://"+r.Admin+"/login", url.Values{"token": {token}})
	see(t, err)
	_ = reply.Body.Close()
	for _, path := range []string{"/", "/dead", "/dead?service=letters", "/services/" + ways[0].name + "-0", "/services/letters"} {
		timed(t, path, nightPatience, func() {
			reply, err := visitor.Get("http://" + r.Admin + path)
			see(t, err)
			_ = reply.Body.Close()
			if reply.StatusCode != http.StatusOK {
				t.Errorf("%s answers %s", path, reply.Status)
			}
		})
	}
	start := timed(t, "relay version", time.Minute, func() { r.Run("version") }) // what a process takes here
	timed(t, "relay status", start+nightPatience, func() { r.Run("status") })

	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium here: what stands on a screen was not looked at")
	}
	ctx := browse(t, chromium)
	see(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate("http://"+r.Admin+"/login"),
		chromedp.SendKeys(`input[name=token]`, token+"\r"), chromedp.WaitVisible(`#services`)))
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 900}, {"phone", 360, 780}} {
		for _, path := range []string{"/", "/dead"} {
			see(t, chromedp.Do(ctx, chromedp.EmulateViewport(screen.width, screen.height), chromedp.Navigate("http://"+r.Admin+path)))
			keepPicture(t, ctx, fmt.Sprintf("night-%s%s.png", screen.name, strings.ReplaceAll(path, "/", "-")), chromedp.CaptureScreenshot())
		}
		for n, way := range ways {
			see(t, chromedp.Do(ctx, chromedp.Navigate(fmt.Sprintf("http://%s/services/%s-%d", r.Admin, way.name, n))))
			keepPicture(t, ctx, fmt.Sprintf("night-%s-%d-%s.png", screen.name, n, way.name), chromedp.CaptureScreenshot())
			for _, want := range []string{way.says, "Failing for"} {
				if !onScreen(t, ctx, want) {
					t.Errorf("%s on a %s: %q is not on the first screen", way.name, screen.name, want)
				}
			}
		}
	}
}

// timed does something nine times, and returns the median, which is to be short
// enough.
func timed(t *testing.T, what string, most time.Duration, do func()) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 9 {
		began := time.Now()
		do()
		took = append(took, time.Since(began).Round(time.Millisecond))
	}
	slices.Sort(took)
	t.Logf("%s: %v", what, took)
	median := took[len(took)/2]
	if median > most {
		t.Errorf("%s takes %v, want %v", what, median, most)
	}
	return median
}

// onScreen reports whether a text stands within the window without scrolling.
func onScreen(t *testing.T, ctx context.Context, text string) bool {
	t.Helper()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(
		`[...document.querySelectorAll("main *")].some(e => e.innerText?.includes(%q) && e.getBoundingClientRect().bottom <= innerHeight && e.getBoundingClientRect().right <= innerWidth)`, text)))
	see(t, err)
	return found
}
