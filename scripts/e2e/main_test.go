package e2e

import (
	"fmt"
	"os"
	"testing"

	"callrelay/scripts/trial"
)

// binary is the relay under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "relay-e2e")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		binary, err = trial.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
