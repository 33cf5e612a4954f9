// Package hub lets a central NATS, the hub, see the queues of many edges.
//
// At an edge a [Link] makes the embedded server a leaf node of the hub. The only
// way from there to the streams is its gate, which lets the hub copy EVENTS and
// DEAD, call the roll and have dead letters replayed, and nothing else. Nothing in
// a queue waits for its hub.
//
// [Hub] is the other end, for who operates it: it lists the edges, keeps copies of
// what they hold, and reads and replays their dead letters.
package hub
