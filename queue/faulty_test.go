package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// faulty is a JetStream in memory that fails as the disk below a real one does:
// what it stored and has not acknowledged may be gone after a power cut,
// acknowledgements are late, come twice or in another order, and a stream may
// freeze, as after a write error, until it is started again. It knows what the
// queue asks of it, and no more. All chance comes from its seed. It is safe for
// concurrent use.
type faulty struct {
	Delay  time.Duration // an acknowledgement takes up to it
	Freeze float64       // the part of publishes that freeze their stream
	Last   int           // of so many publishes to come, the last one does a little later; 0: none
	Twice  float64       // the part of acknowledgements and answers that come twice
	Full   atomic.Bool   // purges of this run fail, and freeze their stream, for want of room

	mu      sync.Mutex
	rand    *rand.Rand
	streams map[string]*fakeStream
	conns   map[*fakeConn]bool
	frozen  bool
	down    bool
	number  int // of the run
}

// newFaulty returns one without streams.
func newFaulty(seed uint64) *faulty {
	return &faulty{rand: rand.New(rand.NewPCG(seed, seed)), streams: map[string]*fakeStream{}, conns: map[*fakeConn]bool{}}
}

// Start begins a run over what is stored, as after a restart.
func (f *faulty) Start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.frozen = false, false
	f.Full.Store(false)
	f.number++
}

// Health implements what the queue asks of a server in its process.
func (f *faulty) Health() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen {
		return errors.New("a stream has a write error")
	}
	return nil
}

// Stop ends the run: connections are closed, and consumers forgotten.
func (f *faulty) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
}

func (f *faulty) stop() {
	f.down = true
	for c := range f.conns {
		c.close()
	}
	clear(f.conns)
	for _, s := range f.streams {
		s.consumers = map[string]*fakeConsumer{}
		clear(s.batches)
	}
}

// PowerCut ends the run, and what was not acknowledged is lost, but for a part at
// the beginning, in each stream another one.
func (f *faulty) PowerCut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
	for _, s := range f.streams {
		if end := s.last; end > s.durable {
			end = s.durable + f.rand.Uint64N(end-s.durable+1)
			s.records = slices.DeleteFunc(s.records, func(r *fakeRecord) bool { return r.seq > end })
			s.last = end
		}
	}
}

// DeleteStream does what an operator may.
func (f *faulty) DeleteStream(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleteStream(name)
}

func (f *faulty) deleteStream(name string) {
	s := f.streams[name]
	if s == nil {
		return
	}
	for consumer := range s.consumers {
		f.dropConsumer(s, consumer)
	}
	delete(f.streams, name)
}

// Held returns how many records a stream holds.
func (f *faulty) Held(stream string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.streams[stream]; s != nil {
		return len(s.records)
	}
	return 0
}

// InProcessConn implements [nats.InProcessConnProvider].
func (f *faulty) InProcessConn() (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, errors.New("the server is down")
	}
	client, server := net.Pipe()
	c := &fakeConn{f: f, conn: server, subs: map[string]string{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	f.conns[c] = true
	c.send([]byte(`INFO {"server_id":"faulty","version":"2.15.3","proto":1,"headers":true,"max_payload":8388608}` + "\r\n"))
	go c.write()
	go c.read()
	return client, nil
}

// fakeStream is what is stored of a stream.
type fakeStream struct {
	name      string
	config    []byte
	subject   string
	created   time.Time
	records   []*fakeRecord // ascending
	last      uint64
	durable   uint64 // what was acknowledged
	frozen    int    // the run in which it froze
	consumers map[string]*fakeConsumer
	batches   map[string][]*fakeRecord
}

type fakeRecord struct {
	seq           uint64
	at            time.Time
	subject       string
	headers, body []byte
}

func (r *fakeRecord) bytes() int { return len(r.subject) + len(r.headers) + len(r.body) + 30 }

type fakeConsumer struct {
	name        string
	filter      string
	headersOnly bool
	next        uint64 // sequence
	delivered   uint64
	asked       []fakeAsk
}

type fakeAsk struct {
	reply string
	left  int
	until time.Time
}

// matches reports whether a subject is one of a filter's.
func matches(filter, subject string) bool {
	for filter != "" || subject != "" {
		f, restF, _ := strings.Cut(filter, ".")
		s, restS, _ := strings.Cut(subject, ".")
		switch {
		case f == ">":
			return s != ""
		case s == "" || f != s && f != "*":
			return false
		}
		filter, subject = restF, restS
	}
	return true
}

func (s *fakeStream) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(s.records, seq, func(r *fakeRecord, seq uint64) int {
		switch {
		case r.seq < seq:
			return -1
		case r.seq > seq:
			return 1
		}
		return 0
	})
}

func (s *fakeStream) first() uint64 {
	if len(s.records) > 0 {
		return s.records[0].seq
	}
	return s.last + 1
}

// pending is how many records a consumer has still to send.
func (s *fakeStream) pending(c *fakeConsumer) int {
	n := 0
	at, _ := s.find(c.next)
	for _, r := range s.records[at:] {
		if matches(c.filter, r.subject) {
			n++
		}
	}
	return n
}

func (f *faulty) streamOf(subject string) *fakeStream {
	for _, s := range f.streams {
		if matches(s.subject, subject) {
			return s
		}
	}
	return nil
}

// store appends a record.
func (s *fakeStream) store(r *fakeRecord) {
	s.last++
	r.seq, r.at = s.last, time.Now()
	s.records = append(s.records, r)
}

// publish takes a record, alone or as part of a batch.
func (f *faulty) publish(s *fakeStream, r *fakeRecord, reply string) {
	if s.frozen == f.number {
		return
	}
	h := string(r.headers)
	if id := header(h, "Nats-Batch-Id"); id != "" {
		s.batches[id] = append(s.batches[id], r)
		if header(h, "Nats-Batch-Commit") == "" {
			return
		}
		f.commit(s, s.batches[id], reply, true)
		delete(s.batches, id)
		return
	}
	f.commit(s, []*fakeRecord{r}, reply, false)
}

// commit stores records, and acknowledges them when they are durable. A single
// one is sent to consumers before, a batch only then.
func (f *faulty) commit(s *fakeStream, records []*fakeRecord, reply string, batch bool) {
	if f.Last--; f.Last == 0 {
		time.AfterFunc(50*time.Millisecond, func() { f.freeze(s) })
		return
	}
	if f.rand.Float64() < f.Freeze {
		for _, r := range records[:f.rand.IntN(len(records)+1)] {
			s.store(r)
		}
		s.frozen, f.frozen = f.number, true
		f.feed(s)
		return
	}
	for _, r := range records {
		s.store(r)
	}
	if !batch {
		f.feed(s)
	}
	last, run := s.last, f.number
	ack := fmt.Sprintf(`{"stream":%q,"seq":%d}`, s.name, last)
	f.later(func() {
		if f.number != run || f.down || s.frozen == run {
			return
		}
		s.durable = max(s.durable, last)
		f.deliver(reply, "", nil, []byte(ack))
		if f.rand.Float64() < f.Twice {
			f.deliver(reply, "", nil, []byte(ack))
		}
		f.feed(s)
	})
}

// freeze has a stream answer nothing more in this run.
func (f *faulty) freeze(s *fakeStream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.frozen, f.frozen = f.number, true
}

// later does something after a delay, which differs from one time to the next.
func (f *faulty) later(do func()) {
	time.AfterFunc(time.Duration(f.rand.Int64N(int64(f.Delay)+1)), func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		do()
	})
}

// feed sends what consumers were asked for.
func (f *faulty) feed(s *fakeStream) {
	for _, c := range s.consumers {
		if len(c.asked) == 0 {
			continue
		}
		at, _ := s.find(c.next)
		pending := -1
		for _, r := range s.records[at:] {
			c.asked = slices.DeleteFunc(c.asked, func(a fakeAsk) bool { return a.left == 0 || time.Now().After(a.until) })
			if len(c.asked) == 0 {
				break
			}
			c.next = r.seq + 1
			if !matches(c.filter, r.subject) {
				continue
			}
			if c.delivered++; pending < 0 {
				pending = s.pending(c) + 1
			}
			pending--
			c.asked[0].left--
			headers, body := r.headers, r.body
			if c.headersOnly {
				headers, body = withHeader(headers, "Nats-Msg-Size", fmt.Sprint(len(body))), nil
			}
			ack := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.%d.%d", s.name, c.name, r.seq, c.delivered, r.at.UnixNano(), pending)
			f.deliverTo(c.asked[0].reply, r.subject, ack, headers, body)
		}
	}
}

func (f *faulty) dropConsumer(s *fakeStream, name string) bool {
	c := s.consumers[name]
	if c == nil {
		return false
	}
	for _, a := range c.asked {
		f.deliver(a.reply, "", []byte("NATS/1.0 409 Consumer Deleted\r\n\r\n"), nil)
	}
	delete(s.consumers, name)
	return true
}
