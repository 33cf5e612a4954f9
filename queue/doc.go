// Package queue keeps records of bytes on disk until it is told that they are
// done with. It is the relay's durable memory: a delivery that is owed to a
// service is one [Record], and stays here until it was delivered or given up.
//
// Its one idea: records lie in an embedded NATS JetStream, and one committer per
// stream writes together whatever arrived while the last write ran, with one
// fdatasync for all of it before anybody is told. What a service has done is
// kept by this package itself, as a floor per [Lane], and not by JetStream's
// acknowledgements, which cost an fsync each or do not survive a crash.
//
// Guarantees. A record whose commit was reported as done is handed out at
// least once until its [Entry] is finished or buried, also after kill -9 or a
// power cut. After a clean [Queue.Close] nothing is handed out twice; after a
// crash what was in flight and what was finished in the last 100 ms may be.
// The same id for the same service is stored once within the window of
// [Options].DedupWindow.
//
// Limits. The stored bytes are bounded by [Options].MaxBytes and by a reserve
// of free space on the disk; beyond either, [Queue.Append] reports [ErrFull].
// While the disk cannot be written, it reports [ErrUnavailable] within seconds,
// and the embedded server is restarted inside the process once it can.
//
// Beside JetStream's own ways. The embedded server stores, indexes and serves
// records; what is to last or to be remembered this package does itself, where
// that is better by far (2 cores, ext4, nats-server 2.15, records of 600 bytes):
//
//   - Durability. The server writes unsynced, and a commit ends with one fdatasync
//     of the blocks that grew, see disk. The server's own SyncAlways stores 3,000
//     to 4,200 records a second from 1 to 128 publishers, and an atomic batch costs
//     2.7 ms whatever it holds; a commit here costs its fdatasync, 0.2 ms, and
//     80,000 records a second were stored, for 11 µs of CPU each.
//   - Removal. Whatever makes the server write blocks anew keeps second names of
//     the old ones until the new ones are synced, see undo.
//   - Floors. What is done is a floor per lane and what is open above it, saved
//     every 100 ms in one record: 111,000 records a second come out of a stream
//     with limits retention, 4,500 when each acknowledgement is stored. Consumers
//     are kept in memory and made anew from the floors.
//   - Ids. A ring and a table remember them in 30 bytes each, the server in 200.
//     It is not told of them at all: its memory goes by the machine's clock.
//   - Retries. RETRY holds plain records, and each lane a heap of when they are
//     due: 12,000 a second come due, of the server's message schedules 900.
//   - Start. Ids and retries are read from the block files while the server
//     starts, see survey: it takes 1.4 s with a million records waiting and 3.0 s
//     with a million parked besides, where reading through the server took 2.3 s
//     and 15 s.
//   - Time. What waits goes by the monotonic clock, see clock: setting the
//     machine's clock expires, repeats and stalls nothing.
//
// On a filesystem that forgets what was not fsynced, 100 power cuts in five modes,
// torn writes and lost names among them, lost none of 175,000 acknowledged events.
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
// dead letters replayed, and nothing else. See gate for how. Nothing in a queue
// waits for its hub.
//
// NATS types do not leave this package.
package queue
