package callserver

import (
	"bufio"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// world is the telephones and the trunk around the call server, and what it
// says over its manager interface.
type world struct {
	t     *testing.T
	trunk *phone
	phone map[string]*phone
	conn  *ami.Conn

	mu   sync.Mutex
	told []ami.Message
}

// newWorld starts the telephones 201 to 204 and the trunk.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, trunk: newPhone(t, "trunk1", 5070), phone: map[string]*phone{}}
	for i := range 4 {
		name := fmt.Sprintf("20%d", i+1)
		w.phone[name] = newPhone(t, name, 5071+i)
	}
	conn, err := ami.Dial(t.Context(), ami.Options{Address: "127.0.0.1:5038", User: "all", Secret: "all", Events: "on"})
	if err != nil {
		t.Fatal(err)
	}
	w.conn = conn
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			m, err := conn.Next()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.told = append(w.told, m)
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() { conn.Close(); listening.Wait() })
	return w
}

// reset has all phones answer again, and forgets their lines and what was told.
func (w *world) reset() {
	for _, p := range append(slices.Collect(maps.Values(w.phone)), w.trunk) {
		p.does(answer{status: 200, after: 200 * time.Millisecond})
		p.forget()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = nil
}

func (w *world) heard() []ami.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// in calls in over the trunk.
func (w *world) in(exten string) *line { return w.trunk.call(exten) }

// up waits until a call is answered.
func (w *world) up(l *line) *line {
	select {
	case <-l.upCh:
	case <-time.After(10 * time.Second):
		w.t.Errorf("%s: not answered", l.phone.name)
	}
	return l
}

// at waits until a phone has answered, and returns its line.
func (w *world) at(name string) *line {
	for range 500 {
		if l := w.phone[name].latest(); l != nil {
			return l
		}
		w.wait(20)
	}
	w.t.Errorf("%s has not answered", name)
	return w.phone[name].line("none")
}

// await waits for an event of the call server.
func (w *world) await(name string, has ...string) ami.Message {
	for range 500 {
		for _, m := range w.heard() {
			if m.Event() == name && (len(has) == 0 || strings.HasPrefix(m.Get(has[0]), has[1])) {
				return m
			}
		}
		w.wait(20)
	}
	w.t.Errorf("no %s %v", name, has)
	return nil
}

// wait lets a time pass, in milliseconds.
func (w *world) wait(ms int) { <-time.After(time.Duration(ms) * time.Millisecond) }

// talk lets the two talk for a while.
func (w *world) talk() { w.wait(900) }

// do asks the call server to do something.
func (w *world) do(action string, headers ...string) {
	var all []ami.Header
	for i := 0; i < len(headers); i += 2 {
		all = append(all, ami.Header{Name: headers[i], Value: headers[i+1]})
	}
	if err := w.conn.Send(action, all...); err != nil {
		w.t.Error(err)
	}
}

// quiet waits until all channels are gone.
func (w *world) quiet() {
	for range 1500 {
		alive := map[string]bool{"none yet": true}
		for _, m := range w.heard() {
			switch m.Event() {
			case "Newchannel":
				delete(alive, "none yet")
				alive[m.Get("Uniqueid")] = true
			case "Hangup":
				delete(alive, m.Get("Uniqueid"))
			}
		}
		if len(alive) == 0 {
			return
		}
		w.wait(20)
	}
	w.t.Error("channels are left")
}

// spoken is when a phone's channel was in bridges, as the channel event log
// (CEL) has it.
type spoken struct {
	device   string
	from, to float64 // seconds
	entered  int
}

// cel reads the log of a call: by channel.
func (w *world) cel() map[string]*spoken {
	all := map[string]*spoken{}
	for _, m := range w.heard() {
		name := m.Get("EventName")
		if m.Event() != "CEL" || name != "BRIDGE_ENTER" && name != "BRIDGE_EXIT" {
			continue
		}
		channel := m.Get("Channel")
		device := deviceOf(channel)
		if !strings.HasPrefix(device, "PJSIP/2") {
			continue
		}
		at := float64(m.Stamp().UnixMicro()) / 1e6
		if t, err := time.Parse("2006-01-02 15:04:05.000000", m.Get("EventTime")); err == nil {
			at = float64(t.UnixMicro()) / 1e6
		}
		s := all[channel]
		if s == nil {
			s = &spoken{device: device, from: at}
			all[channel] = s
		}
		if name == "BRIDGE_ENTER" {
			s.entered++
		} else {
			s.to = at
		}
	}
	return all
}

// save writes what was told, as a transcript for the source's own tests.
func (w *world) save(name string) {
	folder := os.Getenv("TRANSCRIPTS")
	if folder == "" {
		return
	}
	f, err := os.Create(filepath.Join(folder, name+".ami"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	b := bufio.NewWriter(f)
	defer b.Flush()
	for _, m := range w.heard() {
		for _, h := range m {
			fmt.Fprintf(b, "%s: %s\n", h.Name, h.Value)
		}
		fmt.Fprintln(b)
	}
}

func near50(a, b float64) bool { return math.Abs(a-b) <= 0.05 }
