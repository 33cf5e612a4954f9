package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"callrelay/queue/queuetest"
)

func main() {
	only := flag.String("only", "", "run only the proofs whose name matches")
	times := flag.Int("times", 1, "run them so often, each time in a new cluster")
	services := flag.Int("services", faultServices, "how many services are served in the proof that nothing is lost, at least 21")
	flag.Parse()
	failed := 0
	for n := range *times {
		if *times > 1 {
			fmt.Printf("\n== %d of %d\n", n+1, *times)
		}
		if err := run(flag.Args(), regexp.MustCompile(*only), *services); err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed++
		}
	}
	if failed > 0 {
		fmt.Fprintf(os.Stderr, "%d of %d failed\n", failed, *times)
		os.Exit(1)
	}
}

func run(command []string, only *regexp.Regexp, services int) (err error) {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	c, err := newCluster(dir, len(command) == 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if len(command) == 0 {
		return prove(c, only, services)
	}
	return runAgainst(c, command)
}

// runAgainst runs a command with the cluster in the place of embedded queues.
func runAgainst(c *cluster, command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), queuetest.Variable+"="+strings.Join(c.urls(), ","))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return nil
}
