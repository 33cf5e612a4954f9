package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
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
	l       *Lane
	callers int            // of Next that wait
	eng     *engine.Engine // the run of the server in which they do
	since   time.Time      // when the wait began, or JetStream was last asked about it
	times   int            // how often the lane began anew since it last handed out
	lost    int            // deliveries that JetStream has sent and the lane has not, by the last count
	unread  error          // why the last parked delivery could not be read; nil: it was
	why     string         // the lane stands still; empty: it does not
}

// laneWatch has lanes begin anew that stand still, whatever the cause.
type laneWatch struct {
	q      *Queue
	unkept atomic.Bool // nobody keeps the site; used in a cluster
}

// await counts who waits in Next.
func (w *stall) await(callers int) {
	w.l.mu.Lock()
	w.l.stall.callers += callers
	w.l.mu.Unlock()
}

// dry reports whether somebody has waited in Next for so long that the lane has
// to be looked at.
func (w *stall) dry(eng *engine.Engine, now time.Time, patience time.Duration) bool {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	s := &w.l.stall
	if s.callers == 0 || !w.l.q.base.feeds(w.l) || w.l.order.crowded() { // it owes nothing that it may deliver
		s.since, s.why, s.times = now, "", 0
	}
	if s.eng != eng {
		s.eng, s.since = eng, now
	}
	return now.Sub(s.since) >= patience
}

// run has a lane begin anew that stands still, whatever the cause.
func (w *laneWatch) run(ctx context.Context) {
	for eng := range w.q.store.Engines(ctx, w.q.store.Options.Seams.StalledAfter/stallLooks) {
		if eng == nil {
			continue // all stands still, and that is known
		}
		for _, l := range w.q.allLanes() {
			if l.stall.dry(eng, time.Now(), w.q.store.Options.Seams.StalledAfter) {
				w.lookInto(ctx, eng, l)
			}
		}
	}
}

// lookInto asks JetStream about a lane that has handed out nothing for long, and
// has it begin anew if something is owed.
func (w *laneWatch) lookInto(ctx context.Context, eng *engine.Engine, l *Lane) {
	info, err := eng.Consumer(ctx, l.name)
	now := time.Now()
	l.mu.Lock()
	s := &l.stall
	if now.Sub(s.since) < w.q.store.Options.Seams.StalledAfter || ctx.Err() != nil {
		l.mu.Unlock()
		return // it has handed out meanwhile
	}
	why := l.stall.found(info, err)
	s.since, s.why = now, why
	if why == "" {
		s.times = 0
		l.mu.Unlock()
		return
	}
	s.times++
	times := s.times
	l.mu.Unlock()
	w.q.store.Log.Error("lane stands still", "service", l.name, "err", why, "times", times)
	w.q.store.Options.OnStall(l.name, why)
	switch {
	case info.Paused: // an operator's word
	case times%stallsBeforeRestart == 0:
		w.q.store.Fail(fmt.Errorf("lane %s stands still: %s", l.name, why))
	default:
		w.q.base.renew(l, eng)
	}
}

// found says what a lane, which is locked, should have handed out long ago;
// empty: nothing.
func (w *stall) found(info jetstream.ConsumerInfo, err error) string {
	held, s := len(w.l.fresh)+len(w.l.ready), &w.l.stall
	lost := 0
	switch {
	case err != nil:
	case w.l.q.base.alone():
		lost = max(int(info.Delivered.Consumer)-int(w.l.pull.feed.nth), 0)
	case len(w.l.out) == 0 && w.l.order.chains != nil && !w.l.pull.feed.unsettled: // else it may be in another relay's hand
		lost = max(info.NumAckPending-len(w.l.tally.inHand())-w.l.acks.count(), 0)
	}
	before := s.lost
	s.lost = lost
	switch {
	case err == nil && info.Paused && info.NumPending > 0:
		return fmt.Sprintf("its consumer is paused in JetStream, and %d deliveries wait there", info.NumPending)
	case held > 0 && w.l.pull.feed.missing > 0:
		return fmt.Sprintf("%d deliveries that another relay had in hand do not come back, and %d wait for them", w.l.pull.feed.missing, held)
	case held > 0:
		return fmt.Sprintf("%d deliveries are here and none is handed out", held)
	case s.unread != nil:
		return fmt.Sprintf("a parked delivery is not read: %v", s.unread)
	case err == nil && info.NumPending > 0:
		return fmt.Sprintf("%d deliveries wait in JetStream and none comes", info.NumPending)
	case lost > 0 && lost == before:
		return fmt.Sprintf("JetStream has sent %d deliveries that did not come", lost)
	case err != nil && (w.l.pull.feed.waiting > 0 || errors.Is(err, jetstream.ErrConsumerNotFound)):
		return fmt.Sprintf("JetStream says nothing of its consumer: %v", err)
	}
	return ""
}

// stalled says which lanes stand still, or that all of the site do.
func (w *laneWatch) stalled() error {
	if w.unkept.Load() {
		return errUnkept
	}
	var all []string
	for _, l := range w.q.allLanes() {
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
func (b *solo) renew(l *Lane, _ *engine.Engine) {
	l.mu.Lock()
	l.pull.feed.renew = true
	l.mu.Unlock()
	l.pull.reattach()
}

// renew has the next Next attach the lane, and what this relay keeps be taken up
// anew where the lane may wait for that.
func (s *shares) renew(l *Lane, _ *engine.Engine) {
	l.mu.Lock()
	deep := l.order.chains != nil || l.stall.unread != nil
	l.mu.Unlock()
	if deep {
		s.c.stepDown()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pull.feed.sub != nil {
		_ = l.pull.feed.sub.Unsubscribe()
	}
	l.pull.feed = feed{average: l.pull.feed.average, waiting: l.pull.feed.waiting, elsewhere: l.pull.feed.elsewhere, renew: true}
	l.poke()
}

// watchKeeping notices that nobody keeps the site: no relay renews the lease, or
// this one holds it and takes nothing up.
func (k *keeper) watchKeeping(ctx context.Context, eng *engine.Engine) {
	w, now := &k.watch, time.Now()
	if k.keeps() || k.lease.elsewhere(now) {
		w.eng, w.since = eng, now
		k.c.q.watch.unkept.Store(false)
		return
	}
	if w.eng != eng {
		w.eng, w.since = eng, now
	}
	if now.Sub(w.since) < k.c.q.store.Options.Seams.StalledAfter {
		return
	}
	w.since = now
	k.c.q.watch.unkept.Store(true)
	k.c.q.store.Log.Error("nobody keeps the site", "site", k.c.q.store.Options.Site, "holder", k.lease.holder)
	k.c.q.store.Options.OnStall("", errUnkept.Error())
	k.lease.giveUp(ctx, eng)
	k.c.q.store.Fail(errUnkept)
}

var errUnkept = errors.New("no relay keeps the site: its retries and ordered services wait")
