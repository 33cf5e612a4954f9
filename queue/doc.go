// Package queue keeps records of bytes on disk until it is told that they are
// done with. It is the relay's durable memory: a delivery that is owed to a
// service is one [Record], and stays here until it was delivered or given up.
//
// Its one idea: records lie in an embedded NATS JetStream, and one committer per
// stream writes together whatever arrived while the last write ran, and JetStream
// has acknowledged all of it before anybody is told. What a service has done is
// kept by this package itself, as a floor per [Lane]. JetStream's consumers are
// told nothing of it: to acknowledge costs an fsync each or does not survive a crash.
//
// Guarantees. A record whose commit was reported as done is handed out at
// least once until its [Entry] is finished or buried, also after kill -9 or a
// power cut. After a clean [Queue.Close] nothing is handed out twice, but for
// what JetStream stored and could not acknowledge any more; after a crash what
// was in flight and what was finished in the last 100 ms may be.
// The same id for the same service is stored once within the window of
// [Options].DedupWindow.
//
// Limits. The stored bytes are bounded by [Options].MaxBytes and by a reserve
// of free space on the disk; beyond either, [Queue.Append] reports [ErrFull].
// While the disk cannot be written, it reports [ErrUnavailable] within seconds,
// and the embedded server is restarted inside the process once it can.
//
// Durability is JetStream's own, by its documented settings: the server syncs
// always, and what it has acknowledged counts as stored. This package opens,
// syncs and reads no file of JetStream's. What it does itself:
//
//   - Commits. A few records go as single publishes, all on their way at once,
//     more as one atomic batch; where the two cross is measured, see package journal.
//   - Doubts. What was refused is removed when the server is started anew, and
//     after a kill, or a close in such a time, the end of each stream is made
//     durable before it is believed.
//     What was parked is known again by its id, not by its sequence alone.
//   - Floors. What is done is a floor per lane and what is open above it, saved
//     every 100 ms in one record; consumers are kept in memory and made anew.
//   - Ids. Up to [MaxIDs] are remembered, in about 40 bytes each.
//   - Start. The newest ids and what was parked since the floors were saved are
//     read before anything is taken, the rest beside the work, see loading.
//   - Time. What waits goes by the monotonic clock, see [journal.Clock].
//
// A simulation runs schedules of all this over a JetStream that fails: go test
// -run NoSchedule.
//
// In a cluster. With [Options].Servers the records lie in a NATS JetStream
// cluster instead, and a commit is acknowledged by most of its servers, who also
// remember ids and what is finished. What differs is behind one interface, base.
// Several relays with the same [Options].Site share the work: any of them hands
// out a fresh record, each to one relay; one of them, the keeper, hands out what
// was parked and the lanes whose calls are ordered, and another takes over a few
// seconds after it died. While most of the servers are away, Append reports
// [ErrUnavailable]. What was in flight when a server or a relay died may be
// handed out twice. The streams are called EVENTS, RETRY, DEAD, ATTEMPTS, DEBUG
// and LEASE; with a site named berlin EVENTS-berlin and so on, and their subjects
// events-berlin.<service>.<event> and so on.
//
// At a hub. With [Options].Hub the embedded server is a leaf node of a central
// NATS, which [Hub] reads: it may copy EVENTS and DEAD, call the roll and have
// dead letters replayed, and nothing else, see package hub. Nothing in a queue
// waits for its hub.
//
// Its rooms, each importing only those before it: record, what is stored; engine,
// the folder and JetStream; journal, the streams, what writes them and what heals
// them; lane, what is finished; dead, dead letters and the record of attempts; spool,
// while a cluster is away; hub, a central NATS; archive, backup and restore; doctor,
// which looks through all. In this folder is what hands out: the lanes of an
// embedded queue and of a cluster, with what an erasure, a replay and a move need
// of them. NATS types do not leave it.
package queue
