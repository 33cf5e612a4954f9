// Command hub proves what the README says of a hub. It starts a nats-server of
// the version that the relay is built with, with the configuration beside it,
// links a hundred embedded queues of this process and one relay to it, and looks
// at what the commands of an operator say of them: when all is well, when one is
// away, rebuilt or renamed, when dead letters are replayed, and when the hub is
// away under load.
//
//	go run ./scripts/trial/hub              # a hundred edges
//	go run ./scripts/trial/hub -edges 10    # a quick look
package main
