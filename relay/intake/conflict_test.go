package intake

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"callrelay/queue"
)

// An id that comes with something else is refused, by HTTP, by line and within
// one request, and nothing of the request is accepted.
func TestAnIDWithOtherContentIsRefused(t *testing.T) {
	q, err := queue.Open(t.Context(), queue.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close(t.Context()) })
	r := prepareOn(t, "", q)
	r.run(t)
	const first = `{"event":"post_call","id":"C1","uii":"U1","queue":"q"}`
	const other = `{"event":"dequeue","id":"C1","uii":"U1","queue":"q"}`
	c := r.dial(t)
	c.send(first + "\n" + `{"queue":"q","id":"C1", "uii":"U1","event":"post_call"}` + "\n" + other + "\n" + strings.Replace(first, `"q"`, `"p"`, 1) + "\n")
	for i, want := range []string{accepted("C1"), accepted("C1"), `"status":409`, `"status":409`} {
		if got := c.line(); !strings.Contains(got, want) || strings.Contains(got, "retry_after") {
			t.Errorf("line %d is answered %s, want %s", i+1, got, want)
		}
	}
	post := func(body string) (int, string) {
		t.Helper()
		resp, err := r.over(t).Post("http://relay/v1/events", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	for name, body := range map[string]string{
		"as it is": other, "behind another": `[{"event":"dequeue","id":"N1"},` + other + `]`,
		"twice in one request":                 `[{"event":"dequeue","id":"N2"},{"event":"dequeue","id":"N2","agent_id":7}]`,
		"as segments, one of which is another": `[{"event":"post_call","id":"N3","segments":[{"agent_id":1}]},{"event":"post_call","id":"N3","segments":[{"agent_id":1},{"agent_id":2}]}]`,
	} {
		if status, text := post(body); status != http.StatusConflict || !strings.Contains(text, `"error":"id is known with other content: `) {
			t.Errorf("%s: %d %s, want 409", name, status, text)
		}
	}
	for _, body := range []string{first, `{"event":"dequeue","id":"N1","agent_id":7}`, `{"event":"dequeue","id":"N2"}`} {
		if status, text := post(body); status != http.StatusAccepted {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	var got []string
	for len(got) < 3 {
		entries, err := q.Lane("crm").Next(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			got = append(got, e.ID+" "+e.Event)
			e.Finish()
		}
	}
	if want := []string{"C1 post_call", "N1 dequeue", "N2 dequeue"}; !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

// The relay's own events are known by their id alone.
func TestASourcesEventIsKnownByItsID(t *testing.T) {
	q, err := queue.Open(t.Context(), queue.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close(t.Context()) })
	r := prepareOn(t, "", q)
	r.run(t)
	for _, event := range []string{`{"event":"post_call","id":"pbx1/1","duration":3}`, `{"event":"post_call","id":"pbx1/1","duration":4}`} {
		if errs := r.Accept(t.Context(), []byte(event)); errs[0] != nil {
			t.Errorf("%s: %v", event, errs)
		}
	}
}
