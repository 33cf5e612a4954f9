package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
)

const (
	// stallLooks is how often a lane is looked at in that time.
	stallLooks = 30
	// stallsBeforeRestart is how often a lane begins anew before its trouble is
	// taken for one of the connection or the server.
	stallsBeforeRestart = 3
)

// stall knows how long somebody has waited in Next for a lane that may deliver,
// and why that was in vain. Its fields are guarded by the lane's mutex.
type stall struct {
	callers int            // of Next that wait
	eng     *engine.Engine // the run of the server in which they do
	since   time.Time      // when the wait began, or JetStream was last asked about it
	times   int            // how often the lane began anew since it last handed out
	lost    int            // deliveries that JetStream has sent and the lane has not, by the last count
	unread  error          // why the last parked delivery could not be read; nil: it was
	why     string         // the lane stands still; empty: it does not
}

// await counts who waits in Next.
func (l *Lane) await(callers int) {
	l.mu.Lock()
	l.stall.callers += callers
	l.mu.Unlock()
}

// dry reports whether somebody has waited in Next for so long that the lane has
// to be looked at.
func (l *Lane) dry(eng *engine.Engine, now time.Time, patience time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.stall
	if s.callers == 0 || !l.q.base.feeds(l) || l.crowded() { // it owes nothing that it may deliver
		s.since, s.why, s.times = now, "", 0
	}
	if s.eng != eng {
		s.eng, s.since = eng, now
	}
	return now.Sub(s.since) >= patience
}

// watchLanes has a lane begin anew that stands still, whatever the cause.
func (q *Queue) watchLanes(ctx context.Context) {
	for eng := range q.engines(ctx, q.o.Seams.StalledAfter/stallLooks) {
		if eng == nil {
			continue // all stands still, and that is known
		}
		for _, l := range q.allLanes() {
			if l.dry(eng, time.Now(), q.o.Seams.StalledAfter) {
				q.lookInto(ctx, eng, l)
			}
		}
	}
}

// lookInto asks JetStream about a lane that has handed out nothing for long, and
// has it begin anew if something is owed.
func (q *Queue) lookInto(ctx context.Context, eng *engine.Engine, l *Lane) {
	info, err := eng.Consumer(ctx, l.name)
	now := time.Now()
	l.mu.Lock()
	s := &l.stall
	if now.Sub(s.since) < q.o.Seams.StalledAfter || ctx.Err() != nil {
		l.mu.Unlock()
		return // it has handed out meanwhile
	}
	why := l.standsStill(info, err)
	s.since, s.why = now, why
	if why == "" {
		s.times = 0
		l.mu.Unlock()
		return
	}
	s.times++
	times := s.times
	l.mu.Unlock()
	q.o.Log.Error("lane stands still", "service", l.name, "err", why, "times", times)
	q.o.OnStall(l.name, why)
	switch {
	case info.Paused: // an operator's word
	case times%stallsBeforeRestart == 0:
		q.fail(fmt.Errorf("lane %s stands still: %s", l.name, why))
	default:
		q.base.renew(l, eng)
	}
}

// standsStill says what a lane, which is locked, should have handed out long ago;
// empty: nothing.
func (l *Lane) standsStill(info jetstream.ConsumerInfo, err error) string {
	held, s := len(l.fresh)+len(l.ready), &l.stall
	lost := 0
	switch {
	case err != nil:
	case l.q.base.alone():
		lost = max(int(info.Delivered.Consumer)-int(l.feed.nth), 0)
	case len(l.out) == 0 && l.chains != nil && !l.feed.unsettled: // else it may be in another relay's hand
		lost = max(info.NumAckPending-len(l.inHand())-l.acks.count(), 0)
	}
	before := s.lost
	s.lost = lost
	switch {
	case err == nil && info.Paused && info.NumPending > 0:
		return fmt.Sprintf("its consumer is paused in JetStream, and %d deliveries wait there", info.NumPending)
	case held > 0 && l.feed.missing > 0:
		return fmt.Sprintf("%d deliveries that another relay had in hand do not come back, and %d wait for them", l.feed.missing, held)
	case held > 0:
		return fmt.Sprintf("%d deliveries are here and none is handed out", held)
	case s.unread != nil:
		return fmt.Sprintf("a parked delivery is not read: %v", s.unread)
	case err == nil && info.NumPending > 0:
		return fmt.Sprintf("%d deliveries wait in JetStream and none comes", info.NumPending)
	case lost > 0 && lost == before:
		return fmt.Sprintf("JetStream has sent %d deliveries that did not come", lost)
	case err != nil && (l.feed.waiting > 0 || errors.Is(err, jetstream.ErrConsumerNotFound)):
		return fmt.Sprintf("JetStream says nothing of its consumer: %v", err)
	}
	return ""
}

// stalled says which lanes stand still, or that all of the site do.
func (q *Queue) stalled() error {
	if q.unkept.Load() {
		return errUnkept
	}
	var all []string
	for _, l := range q.allLanes() {
		l.mu.Lock()
		if l.stall.why != "" {
			all = append(all, fmt.Sprintf("service %s stands still: %s", l.name, l.stall.why))
		}
		l.mu.Unlock()
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// renew makes the consumer anew, and listens at another place.
func (b *embedded) renew(l *Lane, _ *engine.Engine) {
	l.mu.Lock()
	l.feed.renew = true
	l.mu.Unlock()
	l.reattach()
}

// renew has the next Next attach the lane, and what this relay keeps be taken up
// anew where the lane may wait for that.
func (c *cluster) renew(l *Lane, _ *engine.Engine) {
	l.mu.Lock()
	deep := l.chains != nil || l.stall.unread != nil
	l.mu.Unlock()
	if deep {
		c.stepDown()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feed.sub != nil {
		_ = l.feed.sub.Unsubscribe()
	}
	l.feed = feed{average: l.feed.average, waiting: l.feed.waiting, elsewhere: l.feed.elsewhere, renew: true}
	l.poke()
}

// watchKeeping notices that nobody keeps the site: no relay renews the lease, or
// this one holds it and takes nothing up.
func (c *cluster) watchKeeping(ctx context.Context, eng *engine.Engine) {
	w, now := &c.watch, time.Now()
	if c.keeps() || c.lease.elsewhere(now) {
		w.eng, w.since = eng, now
		c.q.unkept.Store(false)
		return
	}
	if w.eng != eng {
		w.eng, w.since = eng, now
	}
	if now.Sub(w.since) < c.q.o.Seams.StalledAfter {
		return
	}
	w.since = now
	c.q.unkept.Store(true)
	c.q.o.Log.Error("nobody keeps the site", "site", c.q.o.Site, "holder", c.lease.holder)
	c.q.o.OnStall("", errUnkept.Error())
	c.lease.giveUp(ctx, eng)
	c.q.fail(errUnkept)
}

var errUnkept = errors.New("no relay keeps the site: its retries and ordered services wait")
