package strangers

import (
	"fmt"
	"os"
	"testing"

	"callrelay/scripts/trial"
)

var binary string // the relay

func TestMain(m *testing.M) {
	if network := os.Getenv("STRANGERS_NETWORK"); network != "" {
		crowdChild(network, os.Getenv("STRANGERS_ADDRESS"))
		return
	}
	status := trial.RunTests(m, &binary)
	if err := printTable(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
