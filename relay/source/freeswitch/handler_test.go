package freeswitch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
)

// memory is a [source.Store] that keeps nothing on disk.
type memory struct {
	sync.Mutex
	kept map[string][]byte
	fail error
}

func (m *memory) Save(name string, data []byte) error {
	m.Lock()
	defer m.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.kept == nil {
		m.kept = map[string][]byte{}
	}
	m.kept[name] = slices.Clone(data)
	return nil
}

func (m *memory) Load(name string) ([]byte, error) {
	m.Lock()
	defer m.Unlock()
	return m.kept[name], nil
}

func openLedger(t testing.TB, store source.Store) *Ledger {
	t.Helper()
	l, err := OpenLedger(store)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func post(n *Intake, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	n.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/freeswitch/cdr?uuid=a-1", bytes.NewReader(body)))
	return w
}

func TestIntake(t *testing.T) {
	refusal := error(nil)
	n := &Intake{Converter: converter, Emit: singly(func(_ context.Context, event []byte) error {
		if refusal != nil {
			return refusal
		}
		_, err := callevent.Decode(event, callevent.Options{})
		return err
	})}
	leg := agentDocument(t)
	for _, test := range []struct {
		name    string
		body    []byte
		refusal error
		status  int
		want    string
	}{
		{"an agent's leg", leg, nil, http.StatusAccepted, `{"accepted":1,"ids":["fs/6adaf049-322e-491f-9106-e8e51978cf24/a966ae17-b632-45b2-8d65-46c8a651dbe6/agent_termination"]}`},
		{"a leg that is nobody's", documents(t, "agent_calls_out")[0], nil, http.StatusAccepted, `{"accepted":0,"ids":[]}`},
		{"no document", []byte("hello"), nil, http.StatusBadRequest, `{"error":"decode document: neither JSON nor its URL or base64 encoding"}`},
		{"a document of nothing", []byte("{}"), nil, http.StatusBadRequest, `{"error":"read document: no uuid"}`},
		{"a full queue", leg, errors.New("queue full"), http.StatusServiceUnavailable, `{"error":"queue full"}`},
		{"an event refused for good", leg, &callevent.Error{Problem: "too large"}, http.StatusBadRequest, `{"error":"too large"}`},
		{"a document without end", bytes.Repeat([]byte("x"), MaxDocument+1), nil, http.StatusRequestEntityTooLarge, `{"error":"http: request body too large"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			refusal = test.refusal
			w := post(n, test.body)
			if got := strings.TrimSpace(w.Body.String()); w.Code != test.status || got != test.want {
				t.Errorf("answer %d %s, want %d %s", w.Code, got, test.status, test.want)
			}
		})
	}
}

// A replayed spool delivers nothing again that went out, however long ago, and
// the rest of a document that was taken in part.
func TestReplay(t *testing.T) {
	store := &memory{}
	taken, room := map[string]int{}, 1
	accept := func(_ context.Context, event []byte) error {
		if room == 0 {
			return errors.New("queue full")
		}
		room--
		taken[fmt.Sprint(members(t, event)["id"])]++
		return nil
	}
	n := &Intake{Converter: converter, Emit: singly(accept), Ledger: openLedger(t, store)}
	if w := post(n, documents(t, "q_abandon")[0]); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("answer %d, want 503", w.Code)
	}
	room = 100
	for range 2 { // a restart in between
		n.Ledger = openLedger(t, store)
		for _, scenario := range []string{"q_abandon", "q_requeue_answered"} {
			for _, body := range documents(t, scenario) {
				if w := post(n, body); w.Code != http.StatusAccepted {
					t.Errorf("answer %d %s", w.Code, w.Body)
				}
			}
		}
	}
	for id, times := range taken {
		if times != 1 {
			t.Errorf("%s taken %d times", id, times)
		}
	}
	if len(taken) != 5+7 {
		t.Errorf("taken %v, want 12 events", slices.Sorted(maps.Keys(taken)))
	}
}

// A ledger of an earlier relay, which noted ids, holds back what went out then.
func TestLedgerOfAnEarlierRelay(t *testing.T) {
	l, r := openLedger(t, &memory{}), newTaker()
	n := &Intake{Converter: converter, Emit: singly(r.emit), Ledger: l}
	l.Note("fs/6adaf049-322e-491f-9106-e8e51978cf24/a966ae17-b632-45b2-8d65-46c8a651dbe6/agent_termination")
	if w := post(n, agentDocument(t)); w.Code != http.StatusAccepted || len(r.events()) > 0 {
		t.Errorf("answer %d %s, and %d events go out again", w.Code, w.Body, len(r.events()))
	}
}

func TestLedgerIsBounded(t *testing.T) {
	store := &memory{}
	l := openLedger(t, store)
	for i := range (ledgerPages + 1) * pageIDs {
		l.Note(fmt.Sprint(i))
	}
	if err := l.Save(); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Ledger{l, openLedger(t, store)} {
		if len(l.known) != ledgerPages*pageIDs || l.Knows("0") || !l.Knows(fmt.Sprint(pageIDs)) || !l.Knows(fmt.Sprint((ledgerPages+1)*pageIDs-1)) {
			t.Errorf("%d ids known, want the last %d", len(l.known), ledgerPages*pageIDs)
		}
		l.Note("new")
		if !l.Knows("new") || l.Knows(fmt.Sprint(pageIDs)) {
			t.Error("the oldest page is not the one forgotten")
		}
	}
}

func TestLedgerTriesAgain(t *testing.T) {
	store := &memory{fail: errors.New("disk full")}
	l := openLedger(t, store)
	l.Note("a")
	if l.Save() == nil {
		t.Error("no error of the disk")
	}
	store.fail = nil
	if err := l.Save(); err != nil || !openLedger(t, store).Knows("a") {
		t.Errorf("not saved: %v", err)
	}
}
