// Command cluster starts three nats-server processes on loopback, of the version
// that the relay is built with, which sync every write before they acknowledge
// it. With a command it runs that against them, with the variable of package
// queuetest set, and without one the proofs of the relay in a cluster. Then it
// stops them.
//
//	go run ./scripts/trial/cluster                        # the proofs, over TLS
//	go run ./scripts/trial/cluster -only lost -times 20   # one of them, again and again
//	go run ./scripts/trial/cluster go test ./queue/...    # a suite against the cluster
package main
