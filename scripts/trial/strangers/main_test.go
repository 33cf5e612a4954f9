package strangers

import (
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
	os.Exit(trial.RunTests(m, &binary))
}
