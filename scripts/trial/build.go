package trial

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the relay into dir and returns the path of the binary. It must run inside the module.
func Build(dir string) (string, error) {
	path := filepath.Join(dir, "relay")
	if out, err := exec.Command("go", "build", "-o", path, "callrelay/relay").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build relay: %w\n%s", err, out)
	}
	return path, nil
}

// A runner runs the tests of a package: a *testing.M.
type runner interface{ Run() int }

// RunTests is a TestMain: it builds the relay, puts its path into binary, and
// runs the tests, whose exit status it returns.
func RunTests(m runner, binary *string) int {
	dir, err := os.MkdirTemp("", "relay-trial")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		*binary, err = Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
