package e2e

import (
	"os"
	"testing"

	"callrelay/scripts/trial"
)

// binary is the relay under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(trial.RunTests(m, &binary)) }
