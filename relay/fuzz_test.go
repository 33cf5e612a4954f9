package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryFuzzTargetIsInTheManual holds the table of the manual's page on
// security against the targets there are.
func TestEveryFuzzTargetIsInTheManual(t *testing.T) {
	page, err := os.ReadFile("manual/security.md")
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	found := 0
	for _, p := range listPackages(t) {
		files, err := filepath.Glob(filepath.Join("..", p.path, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range target.FindAllStringSubmatch(string(text), -1) {
				found++
				if !strings.Contains(string(page), "| `"+p.path+"` | `"+name[1]+"` |") {
					t.Errorf("the manual does not list %s of %s", name[1], p.path)
				}
			}
		}
	}
	if listed := strings.Count(string(page), "` | `Fuzz"); listed != found {
		t.Errorf("the manual lists %d targets, there are %d", listed, found)
	}
}
