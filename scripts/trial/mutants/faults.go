package main

var faults = []fault{
	// What is acknowledged is durable.
	{"JetStream does not sync before it acknowledges", "SyncAlways: true, // what", "SyncAlways: false, // what"},
	{"JetStream never compacts what purges leave behind", "SyncInterval: compactInterval,", "SyncInterval: compactInterval * 1e6,"},
	{"acknowledged before it is committed", "c.commit(groups[:n]) c.release(groups[:n])", "for _, g := range groups[:n] {\ng.done(nil)\n}\ndefer func(d []*group) { for _, g := range d { g.done = func(error) {} } }(nil)\nc.commit(groups[:n])\nc.release(groups[:n])\nfor _, g := range groups[:n] {\ng.done = func(error) {}\n}"},
	{"a missing acknowledgement is no error", "number, ack, err := p.await(first, deadline) if err != nil { return err }", "number, ack, err := p.await(first, deadline)\nif err != nil {\nreturn nil\n}"},
	{"the sequences of a batch are not its records'", "d.seq = ack.Seq - uint64(last-i)", "d.seq = ack.Seq + uint64(last-i)"},
	{"what a killed process wrote is not made durable", "if b.q.folder.unclean {", "if false {"},
	{"floors are never synced", "if err := unix.Fdatasync(int(f.slots[f.current].Fd())); err != nil {", "if err := func(int) error { _ = unix.Getpid; return nil }(int(f.slots[f.current].Fd())); err != nil {"},
	{"floors are written to one slot", "f.current, f.dirty = 1-f.current, false", "f.dirty = false"},
	{"what was refused is believed after a restart", "return b.q.disown(ctx, eng)", "return nil"},
	{"what the floors know is not cut to the end of the stream", "l.win.clamp(last)", "_ = last"},
	{"a parked record hides another of its sequence", "return found && key == shortHash(&e.Record)", "return found || key == shortHash(&e.Record)"},

	// Nothing is let go before it is stored elsewhere.
	{"Park fails and the delivery is finished", "item, err := e.lane.q.park(e, p) if err != nil { return err }", "item, err := e.lane.q.park(e, p)\nif err != nil {\ne.Finish()\nreturn nil\n}"},
	{"Bury fails and the delivery is finished", "if err := e.lane.q.bury(e, d); err != nil { return err }", "_ = e.lane.q.bury(e, d)"},
	{"what cannot be buried is swept all the same", "if err := q.buryAll(entries, d); err != nil {", "if err := q.buryAll(entries, d); false && err != nil {"},
	{"letters that were not put back are removed", "if err := q.append(ctx, g); err != nil { return err }", "_ = q.append(ctx, g)"},
	{"a purge of retries takes one too many", "eng.purge(ctx, retry, \"\", floor+1)", "eng.purge(ctx, retry, \"\", floor+2)"},
	{"finished retries are not kept in the floors", "fl.gone = ascending(q.retries.gone)", "fl.gone = nil"},

	// One record is never taken for another.
	{"ids of a failed commit stay known", "if d.seq == 0 { c.forget(d) continue }", "if d.seq == 0 {\ncontinue\n}"},
	{"copies are stored again", "if !c.recent.add(d.hash, now) {", "if c.recent.add(d.hash, now); false {"},
	{"a parked record is not held against what is known of it", "r.Service != service || shortHash(&r) != item.key", "r.Service == \"\" && shortHash(&r) != item.key"},
	{"a copy that is none is not insisted on", "if err == nil && p.alone { err = p.insist(p.all) }", "if err == nil && p.alone && false {\nerr = p.insist(p.all)\n}"},

	// Nothing stands still.
	{"a failure during a restart is forgotten", "if q.failedAgain != nil {", "if q.failedAgain != nil && false {"},
	{"an unsettled lane does not ask for what is missing", "f.recall = min(missing, 1)", "f.recall = 0"},
	{"a lane that stands still is left alone", "if l.dry(eng, time.Now(), q.o.stalledAfter) {", "if l.dry(eng, time.Now(), q.o.stalledAfter) && false {"},
	{"what came to somebody else counts as finished", "if nth > f.nth+1 {", "if nth > f.nth+1 && false {"},
}
