package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// options say how the socket behaves.
type options struct {
	listen, password string
	rounds           int           // of all transcripts; 0: for ever
	together         int           // rounds that are mixed, event by event
	pause            time.Duration // between two events
	stall            time.Duration // in the middle of every thousandth event
	cut              int           // close the connection in the middle of every so manyth event
	away             time.Duration // before it listens again after a cut
	unheard          int           // events that happen after a cut before it listens again
	restart          int           // every so manyth cut is a restart: all channels are gone
	large            int           // bytes of an event that is sent once a round
	first            int           // number of the first round: each has calls of its own
	burst            time.Duration // play at the pace of the stamps, the copies begun within this time; 0: as fast as it goes
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8021", "where")
	flag.StringVar(&o.password, "password", "ClueCon", "that is right")
	flag.IntVar(&o.rounds, "rounds", 1, "how often to play all; 0: for ever")
	flag.IntVar(&o.together, "together", 1, "how many rounds at the same time")
	flag.DurationVar(&o.pause, "pause", 0, "between two events")
	flag.DurationVar(&o.stall, "stall", 0, "in the middle of every thousandth event")
	flag.IntVar(&o.cut, "cut", 0, "cut the connection in the middle of every so manyth event")
	flag.DurationVar(&o.away, "away", time.Second, "nobody listens so long after a cut")
	flag.IntVar(&o.unheard, "unheard", 0, "so many events happen after a cut before it listens again")
	flag.IntVar(&o.restart, "restart", 0, "every so manyth cut is a restart, with which all calls are gone")
	flag.IntVar(&o.large, "large", 0, "bytes of an event that nobody wants, once a round")
	flag.IntVar(&o.first, "first", 0, "number of the first round; the calls of a round are known by it")
	flag.DurationVar(&o.burst, "burst", 0, "play at the true pace, all calls begun within this time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := play(ctx, o, flag.Args()); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// player plays events to one client after the other.
type player struct {
	options
	*server
	sent  map[string]int
	count int
	clock time.Time // of the last event that was scored

	writing sync.Mutex // held while a message goes out; guards conn
	conn    net.Conn
	deaf    int // events that are still to happen unheard
}

func newPlayer(o options) *player {
	return &player{options: o, server: newServer(), sent: map[string]int{}}
}

func play(ctx context.Context, o options, files []string) error {
	var transcripts [][][]byte
	for _, name := range files {
		events, err := read(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		transcripts = append(transcripts, events)
	}
	p := newPlayer(o)
	defer p.tell()
	if err := p.perform(ctx, transcripts); err != nil {
		return err
	}
	<-ctx.Done() // the client may want to ask something
	return nil
}

// perform plays all rounds to the first client and those after it.
func (p *player) perform(ctx context.Context, transcripts [][][]byte) error {
	for _, events := range transcripts {
		p.employ(events)
	}
	if err := p.accept(ctx); err != nil {
		return err
	}
	for round := p.first; p.rounds == 0 || round < p.first+p.rounds; round += p.together {
		if err := p.round(ctx, transcripts, round); err != nil {
			return err
		}
	}
	return nil
}

// round plays all transcripts, several copies of each at the same time.
func (p *player) round(ctx context.Context, transcripts [][][]byte, round int) error {
	began := time.Now()
	if p.burst > 0 {
		began = began.Add(3 * time.Second) // all is ready by then
	}
	for _, events := range transcripts {
		if p.burst == 0 && p.clock.After(began) {
			began = p.clock // time does not run back
		}
		for _, e := range p.score(events, round, began) {
			pause(ctx, time.Until(e.due))
			if err := p.send(ctx, e.body); err != nil {
				return err
			}
		}
	}
	if p.large > 0 {
		stamp := strconv.FormatInt(time.Now().UnixMicro(), 10)
		return p.send(ctx, []byte("Event-Name: HEARTBEAT\nEvent-Date-Timestamp: "+stamp+"\nX: "+strings.Repeat("x", p.large)+"\n\n"))
	}
	return nil
}

// note is an event and when it is due.
type note struct {
	due  time.Time // zero: at once
	body []byte
}

// score is what is to be sent of a transcript and its copies, in order.
func (p *player) score(events [][]byte, round int, began time.Time) []note {
	var all []note
	base := stampOf(events)
	for _, event := range events {
		for copy := range p.together {
			start := began.Add(p.burst / time.Duration(p.together) * time.Duration(copy))
			e := note{body: renewed(event, round+copy, base, start)}
			if stamp, err := strconv.ParseInt(field(e.body, "Event-Date-Timestamp"), 10, 64); err == nil {
				if p.clock = time.UnixMicro(stamp); p.burst > 0 {
					e.due = p.clock
				}
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b note) int { return a.due.Compare(b.due) })
	return all
}

// send writes one event, to the next client if this one is gone. What the
// client has not subscribed to happens unsaid.
func (p *player) send(ctx context.Context, body []byte) error {
	if p.conn == nil && p.deaf > 0 {
		p.deaf--
		p.happens(body)
		return ctx.Err()
	}
	if p.conn == nil {
		if err := p.accept(ctx); err != nil {
			return err
		}
	}
	sent, whole := p.write(ctx, body)
	if !sent {
		return ctx.Err()
	}
	if !whole {
		p.conn.Close()
		p.conn, p.deaf = nil, p.unheard
		p.sent["cut off"]++
		if p.restart > 0 && p.sent["cut off"]%p.restart == 0 {
			p.sent["restarts"]++
			p.halt()
		}
		pause(ctx, p.away)
		return ctx.Err()
	}
	p.sent[nameOf(body)]++
	pause(ctx, p.pause)
	return ctx.Err()
}

// write writes an event, or half of it before a cut. Every thousandth stalls.
// It reports whether the client is to have it, and has it.
func (p *player) write(ctx context.Context, body []byte) (sent, whole bool) {
	p.writing.Lock() // no answer comes between what happens and what is said of it
	defer p.writing.Unlock()
	body, heard := p.happens(body)
	if !heard {
		return false, false
	}
	p.count++
	wire := fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body)
	_, err := p.conn.Write(wire[:len(wire)/2])
	if p.stall > 0 && p.count%1000 == 0 {
		pause(ctx, p.stall)
	}
	if err != nil || p.cut > 0 && p.count%p.cut == 0 {
		return true, false
	}
	_, err = p.conn.Write(wire[len(wire)/2:])
	return true, err == nil
}

// accept waits for a client that has the password and has subscribed.
func (p *player) accept(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", p.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		if p.login(c) {
			p.conn = c
			return nil
		}
		c.Close()
	}
}

// login answers until the client has subscribed, and beside the events
// thereafter.
func (p *player) login(c net.Conn) bool {
	fmt.Fprint(c, "Content-Type: auth/request\n\n")
	in := bufio.NewScanner(c)
	for in.Scan() {
		switch command := in.Text(); {
		case command == "auth "+p.password:
			fmt.Fprint(c, "Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
		case strings.HasPrefix(command, "auth "):
			fmt.Fprint(c, "Content-Type: command/reply\nReply-Text: -ERR invalid\n\nContent-Type: text/disconnect-notice\nContent-Length: 4\n\nbye\n")
			return false
		case strings.HasPrefix(command, "event "):
			p.subscribe(command)
			fmt.Fprint(c, "Content-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n")
			go p.converse(c, in)
			return true
		}
	}
	return false
}

// converse answers what the client asks beside the events.
func (p *player) converse(c net.Conn, in *bufio.Scanner) {
	for in.Scan() {
		if command := in.Text(); command != "" {
			p.writing.Lock()
			text := p.answer(command)
			fmt.Fprintf(c, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text)
			p.writing.Unlock()
		}
	}
}

func (p *player) tell() {
	for _, name := range slices.Sorted(maps.Keys(p.sent)) {
		fmt.Printf("%8d %s\n", p.sent[name], name)
	}
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// read returns the events of a transcript.
func read(name string) ([][]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		if data, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	var events [][]byte
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte("\n\n"))
		n, err := strconv.Atoi(field(head, "Content-Length"))
		if !ok || err != nil || n > len(rest) {
			return nil, errors.New("no transcript")
		}
		events = append(events, rest[:n])
		data = rest[n:]
	}
	return events, nil
}

// field is a value of an event, as it stands on the wire.
func field(text []byte, name string) string {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+": ")); ok {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

func nameOf(body []byte) string {
	if action := field(body, "CC-Action"); action != "" {
		return "CC " + action
	}
	return field(body, "Event-Name")
}

// stampOf is the moment of the first event.
func stampOf(events [][]byte) int64 {
	for _, event := range events {
		if n, err := strconv.ParseInt(field(event, "Event-Date-Timestamp"), 10, 64); err == nil {
			return n
		}
	}
	return 0
}

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`)
	stamps = regexp.MustCompile(`\b17[0-9]{8}([0-9]{6})?\b`) // in seconds or microseconds
)

// renewed is the event of another call, that began at a moment.
func renewed(event []byte, round int, base int64, began time.Time) []byte {
	event = uuids.ReplaceAllFunc(event, func(id []byte) []byte {
		n, _ := strconv.ParseUint(string(id[:8]), 16, 32)
		return fmt.Appendf(nil, "%08x%s", uint32(n)+uint32(round)*2654435761, id[8:])
	})
	return stamps.ReplaceAllFunc(event, func(stamp []byte) []byte {
		unit := int64(1)
		if len(stamp) == len("1700000000") {
			unit = 1e6
		}
		n, err := strconv.ParseInt(string(stamp), 10, 64)
		if err != nil {
			return stamp
		}
		return strconv.AppendInt(nil, n+(began.UnixMicro()-base)/unit, 10)
	})
}
