package web

import (
	"context"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browse starts a Chromium without a window. The test is skipped where there is
// none.
func browse(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
		}
	}
	if path == "" || testing.Short() {
		t.Skip("no Chromium here, or -short")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// TestBrowser signs in, sees a number change without loading the page again,
// sees the plots, and replays a dead letter.
func TestBrowser(t *testing.T) {
	ctx := browse(t)
	relay, _, letters := fakeRelay()
	var waiting atomic.Int64
	status := relay.Status
	relay.Status = func() Status {
		st := status()
		st.Services[1].Waiting = int(waiting.Load())
		return st
	}
	s := startServer(t, relay, func(o *Options) {
		o.Token = func() string { return testToken }
	})
	for i := range 10 {
		waiting.Store(int64(i * i))
		s.history.take(time.Now().Add(time.Duration(i-10) * time.Minute))
	}
	base := "http://" + s.Addr().String()

	err := chromedp.Do(ctx,
		chromedp.Navigate(base+"/login"),
		chromedp.SendKeys(`input[name=token]`, testToken+"\r"),
		chromedp.WaitVisible(`#service-crm`),
	)
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	waiting.Store(4321)
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.body.innerText.includes("4,321")`)); err != nil {
		t.Fatalf("live update: %v", err)
	}
	const drawn = `[...document.querySelectorAll("figure svg")].filter(s => s.querySelector(".line")?.getTotalLength() > 20).length`
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[int](drawn)); err != nil || got == 0 {
		t.Errorf("%d plots are drawn, %v", got, err)
	}
	err = chromedp.Do(ctx,
		chromedp.Click(`#to-dead`),
		chromedp.WaitVisible(`input[name=seq]`),
		chromedp.Click(`input[name=seq][value="2"]`),
		chromedp.Click(`button[formaction="/dead/replay"]`),
		chromedp.WaitVisible(`.notice[role=status]`),
	)
	if err != nil {
		t.Fatalf("replay: %v", err)
	}
	if got := letters.last.Seqs; len(got) != 1 || got[0] != 2 {
		t.Errorf("replayed %v, want letter 2", got)
	}
}
