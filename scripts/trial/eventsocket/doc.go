// Command eventsocket pretends to be the event socket of a FreeSWITCH: it plays
// transcripts to whoever logs in, and can stall, cut the connection in the
// middle of an event, restart, and send an event of any size.
//
//	go run ./scripts/trial/eventsocket -listen 127.0.0.1:8021 relay/source/freeswitch/testdata/esl/q_*.plain.gz
//
// Each round plays every transcript once, with channels and times of its own,
// so that its calls are new ones. It sends what the client has subscribed to,
// answers show channels, uuid_dump and callcenter_config agent list by what
// goes on in the calls that it plays, and prints how many events it has sent,
// by name.
//
// Its tests play to a relay with faults and hold what arrives against what comes
// without; EVENTSOCKET=long makes them all.
package main
