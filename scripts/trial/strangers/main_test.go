package strangers

import (
	"os"
	"testing"

	"callrelay/scripts/trial"
)

var binary string // the relay

func TestMain(m *testing.M) {
	if path := os.Getenv("STRANGERS_SOCKET"); path != "" {
		crowdSocket(path)
		return
	}
	os.Exit(trial.RunTests(m, &binary))
}
