package main

var faults = []fault{
	// What is acknowledged is durable.
	{"JetStream does not sync before it acknowledges", "ServerSyncsBeforeItAcknowledges", "SyncAlways: true, // what", "SyncAlways: false, // what"},
	{"JetStream never compacts what purges leave behind", "FolderStaysWithinItsBound", "SyncInterval: compactInterval(o.MaxBytes),", "SyncInterval: compactInterval(o.MaxBytes) * 1e6,"},
	{"acknowledged before it is committed", "WhatWasRefused|FailedWriteIsReported", "c.Commit(groups[:n]) c.release(groups[:n]) for _, g := range groups[:n] { g.Done(g.Err) }", "for _, g := range groups[:n] {\ng.Done(nil)\n}\nc.Commit(groups[:n])\nc.release(groups[:n])"},
	{"a missing acknowledgement is no error", "WhatNoServerTakesIsRefused|NoSchedule", "number, ack, err := p.await(first, deadline) if err != nil { return err }", "number, ack, err := p.await(first, deadline)\nif err != nil {\nreturn nil\n}"},
	{"the sequences of a batch are not its records'", "NoSchedule|ParkedEntriesComeDue", "d.seq = ack.Seq - uint64(last-i)", "d.seq = ack.Seq + uint64(last-i)"},
	{"what a killed process wrote is not made durable", "WhatAKilledProcessWrote", "return e.secure(ctx, eng)", "return nil"},
	{"floors are never synced", "", "if err := unix.Fdatasync(int(f.Slots[f.Current].Fd())); err != nil {", "if err := func(int) error { _ = unix.Getpid; return nil }(int(f.Slots[f.Current].Fd())); err != nil {"},
	{"floors are written to one slot", "FloorsSurviveATornWrite", "f.Current, f.Dirty = 1-f.Current, false", "f.Dirty = false"},
	{"what was refused is believed after a restart", "WhatWasRefusedIsGone", "return e.disown(ctx, eng)", "return nil"},
	{"what the floors know is not cut to the end of the stream", "ASequenceGivenAgain", "p.l.win.Clamp(last)", "_ = last"},
	{"a parked record hides another of its sequence", "AParkedCopy|ALotForgets", "return found && key == record.Hash(&e.Record)", "return found || key == record.Hash(&e.Record)"},

	// Nothing is let go before it is stored elsewhere.
	{"Park fails and the delivery is finished", "WhatCannotBeStoredElsewhere", "items, err := e.lane.q.parking.park([]*Entry{e}, func(*Entry) Parking { return p }) if err != nil { return err }", "items, err := e.lane.q.parking.park([]*Entry{e}, func(*Entry) Parking { return p })\nif err != nil {\ne.Finish()\nreturn nil\n}"},
	{"Bury fails and the delivery is finished", "WhatCannotBeStoredElsewhere", "if err := e.lane.q.burial.bury([]*Entry{e}, d); err != nil { return err }", "_ = e.lane.q.burial.bury([]*Entry{e}, d)"},
	{"what cannot be buried is swept all the same", "WhatCannotBeStoredElsewhere", "if err := b.bury(entries, d); err != nil {", "if err := b.bury(entries, d); false && err != nil {"},
	{"letters that were not put back are removed", "ALetterThatIsNotPutBack", "if err := b.s.Put(ctx, g); err != nil { return err }", "_ = b.s.Put(ctx, g)"},
	{"a purge of retries takes one too many", "APurgeOfFinishedRetries", "eng.Purge(ctx, record.Retry, \"\", floor+1)", "eng.Purge(ctx, record.Retry, \"\", floor+2)"},
	{"finished retries are not kept in the floors", "TheFloorsKeepWhichRetries", "fl.Gone = record.Ascending(s.q.retries.gone)", "fl.Gone = record.Ascending(nil)"},

	// Room is made, and asked for.
	{"a purge that fails is no failure", "PurgeForWhichThereIsNoRoom", " || code == codeFailed {", " {\n_ = codeFailed"},
	{"the ballast is never dropped", "BallastIsDropped", "s.Folder.DropBallast() }", "}"},
	{"history is kept while others fill the disk", "AFullDiskTakesHistory", "if near || pressed || q.store.Space.Low(now) {", "if near {"},

	// One record is never taken for another.
	{"ids of a failed commit stay known", "WhatWasRefusedIsNotKnown", "if d.seq == 0 { // it was refused\nc.forget(d) continue }", "if d.seq == 0 {\ncontinue\n}"},
	{"copies are stored again", "IDsAreKnownAfterKill|ACopyInTheSameCommit|NoSchedule", "if _, known := c.Recent.Add(d.hash, now, struct{}{}); known {", "if _, known := c.Recent.Add(d.hash, now, struct{}{}); false && known {"},
	{"a parked record is not held against what is known of it", "AParkedRecordThatIsAnother", "r.Service != service || record.Hash(&r) != item.key", "r.Service == \"\" && record.Hash(&r) != item.key"},
	{"a copy that is none is not insisted on", "JetStreamTakesForACopyWrongly", "if err == nil && p.Alone { err = p.insist(p.all) }", "if err == nil && p.Alone && false {\nerr = p.insist(p.all)\n}"},

	// Nothing stands still.
	{"a failure during a restart is forgotten", "AFailureDuringARestart", "if r.failedAgain != nil {", "if r.failedAgain != nil && false {"},
	{"an unsettled lane does not ask for what is missing", "ADeadKeeperHadBehind", "f.recall = min(missing, 1)", "f.recall = 0"},
	{"a lane that stands still is left alone", "ALaneThatStandsStill", "if l.stall.dry(eng, time.Now(), w.q.store.Options.Seams.StalledAfter) {", "if l.stall.dry(eng, time.Now(), w.q.store.Options.Seams.StalledAfter) && false {"},
	{"what came to somebody else counts as finished", "WhatCameToSomebodyElse", "if nth > f.nth+1 {", "if nth > f.nth+1 && false {"},
}
