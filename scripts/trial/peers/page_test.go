package peers

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"callrelay/scripts/trial"
)

// TestPageIsAccessible has axe look at every page in Chromium, in light and
// dark, on a desk and on a phone, with a service that is held up, a source that
// is away, and dead letters.
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
		"[[source]]\nname = \"pbx1\"\ntype = \"asterisk\"\naddress = \"127.0.0.1:1\"\nuser = \"relay\"\npassword = \"x\"\n")
	r.Accept(trial.Numbered("e", "agent_termination", 20)...)
	r.Until("there are dead letters and an open breaker", func() bool {
		return r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "20" && r.Metric(`relay_breaker_state{service="away"}`) == "2"
	})
	for _, look := range []struct {
		scheme string
		width  int64
	}{{"light", 1280}, {"light", 390}, {"dark", 1280}, {"dark", 390}} {
		ctx := browse(t, chromium)
		see(t, chromedp.Do(ctx, chromedp.EmulateViewport(look.width, 900), prefer(look.scheme),
			chromedp.Navigate("http://"+r.Admin+"/login"), chromedp.SendKeys(`input[name=token]`, token+"\r"), chromedp.WaitVisible(`#services`)))
		for _, path := range []string{"/login", "/", "/services/crm", "/services/away", "/dead", "/dead?call=nobody", "/config"} {
			see(t, chromedp.Do(ctx, chromedp.Navigate("http://"+r.Admin+path)))
			if faults := faults(t, ctx, string(axe)); faults != "[]" {
				t.Errorf("%s, %s, %d wide: %s", path, look.scheme, look.width, faults)
			}
		}
	}
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
