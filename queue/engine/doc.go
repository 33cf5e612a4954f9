// Package engine is what the queue stands on: the folder that it lies in, and a
// JetStream, embedded in this process or a cluster's, with this process's
// connections to it.
//
// An [Engine] is one run of that JetStream. It reads, counts and removes what the
// streams hold, through JetStream's documented interface alone; what is written is
// written by package journal. After an error of the disk, or of a connection, the
// queue drops its engine and starts another one over the same streams.
//
// Nobody but this process gets at the streams of the embedded server: outside
// users have accounts of their own, and what they ask is asked anew, see apiproxy.
package engine
