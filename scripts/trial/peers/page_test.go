package peers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"callrelay/scripts/trial"
)

// TestPageIsAccessible has axe look at every page in Chromium, in light and
// dark, on a desk and on a phone, with services that fail in six ways, a source
// that is away, and dead letters. Nothing may be off screen to the right. With
// SHOTS, the name of a folder, it keeps a picture of each.
func TestPageIsAccessible(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium here")
	}
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	const token = "a token for the page, of enough bytes"
	at := trial.NewReceiver(t)
	at.AnswerStatus(http.StatusUnprocessableEntity)
	r := trial.Start(t, binary, "token = \""+token+"\"\n[queue]\ndir = \"queue\"\nlisten = \"\"\n"+
		trial.Service("crm", at.URL, "debug = true")+trial.Service("away", "http://127.0.0.1:1", "")+
		trial.Service("busy", statusOf(t, http.StatusServiceUnavailable), "")+trial.Service("gone", statusOf(t, http.StatusGone), "")+
		trial.Service("wrong-password", statusOf(t, http.StatusUnauthorized), "")+trial.Service("moved-to-a-name-that-is-rather-long", statusOf(t, http.StatusFound), "")+
		trial.Service("plain-http-spoken-as-https", strings.Replace(at.URL, "http:", "https:", 1), "")+trial.Service("well", statusOf(t, http.StatusOK), "")+
		"[[source]]\nname = \"pbx1\"\ntype = \"asterisk\"\naddress = \"127.0.0.1:1\"\nuser = \"relay\"\npassword = \"x\"\n")
	r.Accept(trial.Numbered("e", "agent_termination", 20)...)
	r.Until("there are dead letters and an open breaker", func() bool {
		return r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "20" && r.Metric(`relay_breaker_state{service="away"}`) == "2"
	})
	for _, look := range []struct {
		scheme string
		width  int64
	}{{"light", 1280}, {"light", 360}, {"dark", 1280}, {"dark", 360}} {
		ctx := browse(t, chromium)
		see(t, chromedp.Do(ctx, chromedp.EmulateViewport(look.width, 900), prefer(look.scheme),
			chromedp.Navigate("http://"+r.Admin+"/login"), chromedp.SendKeys(`input[name=token]`, token+"\r"), chromedp.WaitVisible(`#services`)))
		for i, path := range []string{"/login", "/", "/services/crm", "/services/away", "/dead", "/dead?call=nobody", "/config"} {
			see(t, chromedp.Do(ctx, chromedp.Navigate("http://"+r.Admin+path)))
			keep(t, ctx, fmt.Sprintf("%d-%s-%d.png", i, look.scheme, look.width))
			wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
			see(t, err)
			if wide > look.width {
				t.Errorf("%s is %d wide on a screen of %d", path, wide, look.width)
			}
			if faults := faults(t, ctx, string(axe)); faults != "[]" {
				t.Errorf("%s, %s, %d wide: %s", path, look.scheme, look.width, faults)
			}
		}
	}
}

// statusOf is an endpoint that always answers with one status.
func statusOf(t *testing.T, status int) string {
	t.Helper()
	at := trial.NewReceiver(t)
	at.AnswerStatus(status)
	return at.URL
}

// keep saves a picture of the whole page in the folder that SHOTS names.
func keep(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	keepPicture(t, ctx, name, chromedp.FullScreenshot(100))
}

// keepPicture saves a picture in that folder.
func keepPicture(t *testing.T, ctx context.Context, name string, take chromedp.Action[[]byte]) {
	t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(ctx, take)
	see(t, err)
	see(t, os.WriteFile(filepath.Join(dir, name), picture, 0o644))
}

func browse(t *testing.T, chromium string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// prefer has the browser prefer a colour scheme.
func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		var none chromedp.Void
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return none, err
	}
}

// faults are what axe finds on the page that is open, as JSON.
func faults(t *testing.T, ctx context.Context, axe string) string {
	t.Helper()
	const run = `;window.found = null; axe.run().then(r => { window.found = JSON.stringify(r.violations.map(v => v.impact + " " + v.id + ": " + v.nodes[0].html)) }); 0`
	_, err := chromedp.Run(ctx, chromedp.Evaluate[any](axe+run))
	see(t, err)
	found, err := chromedp.Run(ctx, chromedp.Poll[string](`window.found`))
	see(t, err)
	return found
}

func see(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
