package command

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestDemo proves to a newcomer that calls arrive with their recordings.
func TestDemo(t *testing.T) {
	got := command(t, "", "demo", "--once")
	if got.status != 0 || got.err != "" || !strings.Contains(got.out, "2 webhooks, 2 recordings") {
		t.Errorf("exit %d, out:\n%s\nerr:\n%s", got.status, got.out, got.err)
	}
}

func TestDemoThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := commandCtx(ctx, "", "demo", "--once"); got.status == 0 {
		t.Errorf("not all arrived, and exit 0, out:\n%s", got.out)
	}
}

// watched is the output of a command whose reader has seen enough of it.
type watched struct {
	strings.Builder
	enough string
	stop   func()
}

func (w *watched) Write(text []byte) (int, error) {
	if strings.Contains(string(text), w.enough) {
		w.stop()
	}
	return w.Builder.Write(text)
}

func TestDemoGoesOnUntilItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{enough: "All of call", stop: cancel}
	a := &app{in: strings.NewReader(""), out: out, err: out, version: "devel"}
	if status := a.execute(ctx, []string{"demo"}); status != 0 {
		t.Errorf("exit %d, out:\n%s", status, out)
	}
}

// TestTheDemoBelievesNothing holds that it fails unless each webhook is of the call
// and its recording can be fetched whole.
func TestTheDemoBelievesNothing(t *testing.T) {
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			_, _ = w.Write([]byte("RIFF"))
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(files.Close)
	c := newDemoCall(1, time.Now())
	c.agents[0].bytes = 100
	of := func(agent, link string) string {
		return `{"callId":"` + c.id + `","agentId":` + agent + `,"agentName":"Ann O\"Neil & Sons","recordingUrl":"` + link + `"}`
	}
	for _, test := range []struct{ body, err string }{
		{"{", "read webhook: "},
		{of("7", ""), "agent 7, who was not in the call"},
		{of("1401", ""), "no link"},
		{of("1401", "http://%"), "parse"},
		{of("1401", "http://127.0.0.1:1/"), "fetch recording: "},
		{of("1401", files.URL), "fetch recording: 404 Not Found"},
		{of("1401", files.URL+"/half"), "fetch recording: 200 OK, 4 bytes of 100"},
	} {
		if _, err := (webhook{body: []byte(test.body)}).verify(t.Context(), c); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.body, err, test.err)
		}
	}
}
