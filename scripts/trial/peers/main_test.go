package peers

import (
	"fmt"
	"os"
	"testing"

	"callrelay/scripts/trial"
)

// modules is where the npm packages are, and binary the relay under test.
var modules, binary string

func TestMain(m *testing.M) {
	if modules = os.Getenv("PEERS"); modules == "" {
		fmt.Println("peers: left out; scripts/trial/peers/run.sh runs them")
		return
	}
	status := trial.RunTests(m, &binary)
	printTable()
	os.Exit(status)
}

// settled waits until nothing is owed to a service any more.
func settled(r *trial.Relay, service string) {
	r.Until("nothing is owed to "+service, func() bool { return r.Metric(`relay_pending{service="`+service+`"}`) == "0" })
}
