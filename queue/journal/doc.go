// Package journal is the streams that keep what is promised. A [Store] has them, and
// a [Runner] starts the JetStream below anew when writing failed; what it stands on
// is a [Backend]. After a crash or an error of the disk nothing is believed that was
// not read back, see [Embedded].
//
// It writes through one [Committer] per stream, which commits together
// whatever arrived while the last commit ran, through JetStream, and reports a
// group as stored once JetStream has acknowledged all of it.
//
// A few records go as single publishes, all on their way at once, more as one
// atomic batch; where the two cross is measured, see pace. The same code writes to
// the embedded server and to a cluster. Ids are remembered here, and what they
// stand for: [Known] and [Claims]. [Space] keeps a full disk from JetStream,
// [Clock] tells the times that are stored from what the machine's clock says, and
// [Doubt] lists what may or may not be stored.
package journal
