package freeswitch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"callrelay/relay/source"
)

// Bounds of a ledger.
const (
	pageIDs     = 4096
	maxHosts    = 1000
	ledgerPages = 64 // 262,144 ids, about 50,000 calls: 2 MiB on disk
)

// Ledger knows which events of FreeSWITCH the relay has taken, for longer than
// the queue does: a document that was spooled although it was taken may be
// replayed days later, and what a source saw live comes again as a document.
// It forgets the oldest ids first. It is safe for concurrent use.
type Ledger struct {
	store   source.Store
	sharing sharing

	mu     sync.Mutex // guards all below
	known  map[uint64]struct{}
	pages  [ledgerPages]page
	page   int               // that is being filled
	turn   uint64            // of that page: pages are numbered as they begin
	unkept map[int]struct{}  // pages that are not saved as they are
	hosts  map[string]string // sources, by what their FreeSWITCH calls itself
	saving sync.Mutex        // held before mu
}

// page is a part of a ledger that is saved as a whole.
type page struct {
	turn uint64
	ids  []uint64
}

// OpenLedger reads what is known. What cannot be read is returned as an error,
// beside a ledger that knows the rest.
func OpenLedger(store source.Store) (*Ledger, error) {
	l := &Ledger{store: store, known: map[uint64]struct{}{}, unkept: map[int]struct{}{}, hosts: map[string]string{}}
	var failed error
	for i := range l.pages {
		data, err := store.Load(pageName(i))
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("read known ids: %w", err))
		}
		if len(data) < 8 {
			continue
		}
		p := &l.pages[i]
		p.turn = binary.LittleEndian.Uint64(data)
		for at := 8; at+8 <= len(data); at += 8 {
			p.ids = append(p.ids, binary.LittleEndian.Uint64(data[at:]))
			l.known[p.ids[len(p.ids)-1]] = struct{}{}
		}
		if p.turn >= l.turn {
			l.turn, l.page = p.turn, i
		}
	}
	return l, failed
}

// Knows reports whether an event was taken.
func (l *Ledger) Knows(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.known[digest(id)]
	return known
}

// Note notes that events were taken. [Ledger.Save] makes it durable.
func (l *Ledger) Note(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		sum := digest(id)
		if _, known := l.known[sum]; known {
			continue
		}
		if len(l.pages[l.page].ids) >= pageIDs {
			l.turnPage()
		}
		l.known[sum] = struct{}{}
		l.pages[l.page].ids = append(l.pages[l.page].ids, sum)
		l.unkept[l.page] = struct{}{}
	}
}

// turnPage begins the next page and forgets what it held.
func (l *Ledger) turnPage() {
	l.turn++
	l.page = (l.page + 1) % ledgerPages
	for _, old := range l.pages[l.page].ids {
		delete(l.known, old)
	}
	l.pages[l.page] = page{turn: l.turn}
}

// Save makes what was noted durable. Calls at one moment share the work.
func (l *Ledger) Save() error {
	l.saving.Lock()
	defer l.saving.Unlock()
	l.mu.Lock()
	changed := map[int][]byte{}
	for i := range l.unkept {
		changed[i] = l.pages[i].bytes()
	}
	clear(l.unkept)
	l.mu.Unlock()
	var failed error
	for i, data := range changed {
		if err := l.store.Save(pageName(i), data); err != nil {
			failed = errors.Join(failed, err)
			l.mu.Lock()
			l.unkept[i] = struct{}{}
			l.mu.Unlock()
		}
	}
	return failed
}

func (p page) bytes() []byte {
	data := binary.LittleEndian.AppendUint64(make([]byte, 0, 8*(len(p.ids)+1)), p.turn)
	for _, id := range p.ids {
		data = binary.LittleEndian.AppendUint64(data, id)
	}
	return data
}

// aDocument is known when documents were taken lately.
const aDocument = "a document"

// Documented reports whether documents are taken: what a source did not see to
// its end, one of them reports.
func (l *Ledger) Documented() bool { return l != nil && l.Knows(aDocument) }

// emit passes on the events that are not known, and makes them known.
func (l *Ledger) emit(next source.Emit, log *slog.Logger) source.Emit {
	if l == nil {
		return next
	}
	return func(ctx context.Context, events [][]byte) []error {
		var fresh [][]byte
		var records []source.Record
		var places []int
		for i, event := range events {
			var e source.Record
			if json.Unmarshal(event, &e) == nil && (l.Knows(happening(e)) || l.Knows(e.ID)) { // earlier relays noted ids
				continue
			}
			fresh, records, places = append(fresh, event), append(records, e), append(places, i)
		}
		errs := make([]error, len(events))
		for i, err := range next(ctx, fresh) {
			if errs[places[i]] = err; err == nil {
				l.Note(happening(records[i]))
				l.sharing.look(records[i], log)
			}
		}
		return errs
	}
}

// happening identifies an event whichever source reports it: the uuids of legs
// are unique in the world. Of several FreeSWITCH a document may not say which
// source it belongs to, and that of an agent who was asked first and given the
// caller then names the consultation as his call.
func happening(e source.Record) string {
	switch {
	case e.SegmentID != "":
		return e.SegmentID + "/" + e.Event
	case e.UII == "":
		return e.ID
	}
	return strings.TrimPrefix(e.ID, e.Source)
}

// meet notes which source the FreeSWITCH belongs to that calls itself
// switchname.
func (l *Ledger) meet(switchname, source string) {
	if l == nil || switchname == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, known := l.hosts[switchname]; known && before != source {
		source = "" // two have one name
	}
	if len(l.hosts) < maxHosts {
		l.hosts[switchname] = source
	}
}

// SourceOf is the name of that source; empty: none has met it.
func (l *Ledger) SourceOf(switchname string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hosts[switchname]
}

func pageName(i int) string { return fmt.Sprintf("freeswitch-ids-%02d", i) }

func digest(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.LittleEndian.Uint64(sum[:])
}
