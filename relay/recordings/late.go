package recordings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"callrelay/relay/recordings/link"
)

// The events raised of a recording that was missing: it is complete after all, or
// was not in time.
const (
	AvailableEvent = "recording_available"
	FailedEvent    = "recording_failed"
)

const (
	lateStore = "late-recordings"
	maxLate   = 10_000                 // more are not waited for: they have failed
	lateSave  = 100 * time.Millisecond // after a change, and so much more for each entry: as soon as what was delivered is
	lateEach  = 200 * time.Microsecond
	lateRetry = 2 * time.Second // after the event was not accepted
	lateSoon  = 5 * time.Second // is looked at least, after a restart
	maxID     = 128             // bytes of an event's id
)

// pendingLate are the recordings that no delivery waits for any more. They are saved
// a moment after they change: a crash in between may forget one, or announce
// one again, under the same id. Safe for concurrent use.
type pendingLate struct {
	watcher *watcher
	raise   func(ctx context.Context, event []byte) error
	count   func(outcome string)
	store   Store
	log     *slog.Logger
	ctx     context.Context // of raising; ends with close
	stop    context.CancelFunc

	mu      sync.Mutex
	entries map[string]*late // by the id of their event
	saving  *time.Timer      // nil: nothing has changed
	closed  bool
	running sync.WaitGroup // of raising and saving
}

// A late is one event that has missed its recording.
type late struct {
	Recording string          `json:"recording"`
	Start     float64         `json:"start,omitempty"`
	End       float64         `json:"end,omitempty"`
	Until     time.Time       `json:"until"`
	Event     json.RawMessage `json:"event"` // as it will be raised

	id      string
	cancel  func()
	end     *time.Timer
	raising bool // an event of it
}

func newPendingLate(w *watcher, o Options, count func(outcome string)) *pendingLate {
	l := &pendingLate{watcher: w, raise: o.Raise, store: o.Store, log: o.Log, entries: map[string]*late{}, count: count}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// add waits for the recording of event, or a slice of it, until a moment.
func (l *pendingLate) add(recording string, s link.Slice, event []byte, until time.Time) {
	if l.raise == nil {
		return
	}
	id, available, err := availableEvent(event)
	if err != nil {
		l.log.Warn("late recording is not awaited", "recording", recording, "err", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.enter(&late{Recording: recording, Start: s.Start, End: s.End, Until: until, Event: available, id: id}) {
		l.changed()
	}
}

// enter takes an entry that is new; l.mu is held. When there are too many, its time
// is over.
func (l *pendingLate) enter(e *late) bool {
	if _, known := l.entries[e.id]; known || l.closed {
		return false
	}
	if len(l.entries) >= maxLate {
		l.log.Warn("late recording is not awaited", "recording", e.Recording, "err", "too many are")
		if len(l.entries) >= 2*maxLate {
			return false
		}
		e.Until = time.Now()
	}
	l.entries[e.id] = e
	e.end = time.AfterFunc(time.Until(e.Until), func() { l.announce(e, OutcomeFailed) })
	e.cancel = func() {}
	if time.Now().Before(e.Until) {
		e.cancel = l.watcher.watch(e.Recording, func() { l.complete(e) })
	}
	return true
}

// complete announces that the recording is there. A slice that nobody can cut has
// failed.
func (l *pendingLate) complete(e *late) {
	outcome := OutcomeLate
	file, _ := l.watcher.look(e.Recording)
	if file.part(link.Slice{Start: e.Start, End: e.End}).State == StateMissing {
		outcome = OutcomeFailed
	}
	l.announce(e, outcome)
}

// announce raises the event of an outcome, unless one is being raised already.
// While it is not accepted it is tried again: that a recording is there until the
// entry's end, that it failed for ever.
func (l *pendingLate) announce(e *late, outcome string) {
	if !l.begin(e) {
		return
	}
	defer l.running.Done()
	event, err := e.Event, error(nil)
	if outcome == OutcomeFailed {
		event, err = failedEvent(e.Event, e.id)
	}
	if err == nil {
		err = l.raise(l.ctx, event)
	}
	if err == nil {
		level, text := slog.LevelInfo, "late recording announced"
		if outcome == OutcomeFailed {
			level, text = slog.LevelWarn, "recording not complete in time"
		}
		l.log.Log(l.ctx, level, text, "recording", e.Recording, "event", e.id)
		l.count(outcome)
		l.remove(e)
		return
	}
	l.log.Warn("late recording not announced", "recording", e.Recording, "event", e.id, "outcome", outcome, "err", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	e.raising = false
	if l.closed || l.entries[e.id] != e {
		return
	}
	again := time.AfterFunc(lateRetry, func() { l.announce(e, outcome) })
	if outcome == OutcomeFailed {
		e.end = again
	} else {
		e.cancel = func() { again.Stop() }
	}
}

// begin has an entry's event raised by the caller, who then calls running.Done,
// unless it is gone, somebody else raises one, or it is too late for it.
func (l *pendingLate) begin(e *late) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.entries[e.id] != e || e.raising {
		return false
	}
	e.raising = true
	l.running.Add(1)
	return true
}

func (l *pendingLate) remove(e *late) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries[e.id] != e || l.closed {
		return
	}
	delete(l.entries, e.id)
	e.end.Stop()
	e.cancel()
	l.changed()
}

// changed has the entries saved soon; l.mu is held.
func (l *pendingLate) changed() {
	if l.saving == nil && l.store != nil {
		l.saving = time.AfterFunc(lateSave+time.Duration(len(l.entries))*lateEach, l.saveNow)
	}
}

// saveNow saves the entries, unless they are closed.
func (l *pendingLate) saveNow() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.running.Add(1)
	l.mu.Unlock()
	defer l.running.Done()
	l.save()
}

func (l *pendingLate) save() {
	l.mu.Lock()
	l.saving = nil
	entries := make([]*late, 0, len(l.entries))
	for _, e := range l.entries {
		entries = append(entries, e)
	}
	l.mu.Unlock()
	data, err := json.Marshal(entries)
	if err == nil {
		err = l.store.Save(lateStore, data)
	}
	if err != nil {
		l.log.Error("late recordings not saved", "err", err)
	}
}

// load takes up what was saved.
func (l *pendingLate) load() {
	if l.store == nil || l.raise == nil {
		return
	}
	data, err := l.store.Load(lateStore)
	if len(data) == 0 && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		return
	}
	var entries []*late
	if err == nil {
		err = json.Unmarshal(data, &entries)
	}
	if err != nil {
		l.log.Error("late recordings not loaded", "err", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	soon := time.Now().Add(lateSoon)
	for _, e := range entries {
		if e.Until.Before(soon) {
			e.Until = soon // it may have been completed meanwhile
		}
		if e.id, err = eventID(e.Event); err == nil {
			l.enter(e)
		}
	}
}

// close stops waiting and saves a change that was not. The watcher is closed
// before.
func (l *pendingLate) close() error {
	l.stop()
	l.mu.Lock()
	l.closed = true
	for _, e := range l.entries {
		e.end.Stop()
		e.cancel()
	}
	unsaved := l.saving != nil
	l.mu.Unlock()
	l.running.Wait()
	if unsaved {
		l.save()
	}
	return nil
}

// availableEvent makes recording_available of an event, under an id that depends
// on the event's alone.
func availableEvent(event []byte) (id string, available []byte, err error) {
	var e struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return "", nil, err
	}
	if e.Event == AvailableEvent || e.Event == FailedEvent {
		return "", nil, errors.New("event announces a late recording itself")
	}
	if id, err = eventID(event); err != nil {
		return "", nil, err
	}
	id = bounded(id + "/" + AvailableEvent)
	available, err = announcement(event, AvailableEvent, id)
	return id, available, err
}

// failedEvent makes recording_failed of the recording_available that was to be
// raised under an id.
func failedEvent(available []byte, id string) ([]byte, error) {
	own, found := strings.CutSuffix(id, "/"+AvailableEvent)
	if own += "/" + FailedEvent; !found {
		own = hashed(own)
	}
	return announcement(available, FailedEvent, bounded(own))
}

// announcement is an event under another name and id, with its members as they
// came.
func announcement(event []byte, name, id string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event, &members); err != nil {
		return nil, err
	}
	for member, value := range map[string]string{"event": name, "id": id} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		members[member] = text
	}
	return json.Marshal(members)
}

// bounded is an id, or its sum when it is too long.
func bounded(id string) string {
	if len(id) > maxID {
		return hashed(id)
	}
	return id
}

func hashed(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

func eventID(event []byte) (string, error) {
	var e struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return "", err
	}
	if e.ID == "" {
		return "", errors.New("event has no id")
	}
	return e.ID, nil
}

// Forget ends the wait for late recordings of the events that match, so that
// nothing of them is announced or kept. It returns how many there were; with
// dry it only counts.
func (r *Recordings) Forget(dry bool, match func(event []byte) bool) int {
	return r.pending.forget(dry, match)
}

func (l *pendingLate) forget(dry bool, match func(event []byte) bool) int {
	l.mu.Lock()
	var list []*late
	for _, e := range l.entries {
		if match(e.Event) {
			list = append(list, e)
		}
	}
	l.mu.Unlock()
	if dry || len(list) == 0 {
		return len(list)
	}
	for _, e := range list {
		l.remove(e)
	}
	if l.store != nil {
		l.save()
	}
	return len(list)
}
