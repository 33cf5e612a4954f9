// Command mutants plants faults in a copy of package queue and its rooms, one at a
// time, each of which breaks a promise, and shows which of them the tests catch.
// It fails when more than two survive. A fault is found by its text, wherever
// that lies.
//
//	go run ./scripts/trial/mutants            all of them, each before the tests that are meant to catch it, else before all
//	go run ./scripts/trial/mutants -only Park -run Stays
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// maySurvive is how many faults the tests may miss: that the floors are synced,
// and what a killed process wrote, only a power cut shows. See package faults.
const maySurvive = 2

func main() {
	only := flag.String("only", "", "plant only those whose name matches")
	run := flag.String("run", "", "run only these tests")
	flag.Parse()
	survivors, err := plantAll(regexp.MustCompile(*only), *run)
	if err == nil && survivors > maySurvive {
		err = fmt.Errorf("%d faults survive", survivors)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func plantAll(only *regexp.Regexp, run string) (survivors int, err error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is the system's to clean up then
	copied := exec.Command("sh", "-c", `cd "$(git rev-parse --show-toplevel)" && git ls-files -z | xargs -0 cp --parents -t "$0"`, dir)
	if out, err := copied.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("copy: %w: %s", err, out)
	}
	for _, f := range faults {
		if !only.MatchString(f.name) {
			continue
		}
		began := time.Now()
		fate, err := f.plant(dir, run)
		if err != nil {
			return survivors, fmt.Errorf("%s: %w", f.name, err)
		}
		if fate == "" {
			survivors++
		}
		fmt.Printf("%-62s %6.1fs  %s\n", f.name, time.Since(began).Seconds(), cmp.Or(fate, "SURVIVES"))
	}
	return survivors, nil
}

// A fault is a change of the code that breaks a promise.
type fault struct {
	name   string
	tests  string // those that are meant to catch it, which run before all others
	old    string // the place; any white space matches any other
	broken string
}

// plant returns what caught the fault; empty: nothing.
func (f fault) plant(dir, run string) (string, error) {
	path, whole, at, err := f.find(dir)
	if err != nil {
		return "", err
	}
	broken := whole[:at[0]] + f.broken + whole[at[1]:]
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		return "", err
	}
	defer os.WriteFile(path, []byte(whole), 0o600) //nolint:errcheck // the next fault would not be caught
	if f.tests != "" && run == "" {
		if fate, err := test(dir, f.tests); fate != "" || err != nil {
			return fate, err
		}
	}
	return test(dir, run)
}

// test runs tests of the queue and returns what failed; empty: nothing did.
func test(dir, run string) (string, error) {
	command := exec.Command("go", "test", "-failfast", "-timeout", "10m", "-run", run, "./queue/...")
	command.Dir = dir
	out, err := command.CombinedOutput()
	switch failed := regexp.MustCompile(`--- FAIL: (\S+)`).FindSubmatch(out); {
	case err == nil:
		return "", nil
	case failed != nil:
		return string(failed[1]), nil
	case strings.Contains(string(out), "build failed"):
		return "", fmt.Errorf("does not compile: %s", out)
	}
	return "panic or timeout", nil
}

// find returns the one file that has the place, what it holds, and where in it.
func (f fault) find(dir string) (path, whole string, at []int, err error) {
	words := strings.Fields(f.old)
	for i := range words {
		words[i] = regexp.QuoteMeta(words[i])
	}
	place := regexp.MustCompile(strings.Join(words, `\s+`))
	err = filepath.WalkDir(filepath.Join(dir, "queue"), func(file string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		found := place.FindAllIndex(data, -1)
		if len(found) > 1 || len(found) == 1 && at != nil {
			return fmt.Errorf("found twice, in %s", file)
		}
		if len(found) == 1 {
			path, whole, at = file, string(data), found[0]
		}
		return nil
	})
	if err == nil && at == nil {
		err = fmt.Errorf("not found: %s", f.old)
	}
	return path, whole, at, err
}
