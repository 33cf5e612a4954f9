package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a reader can still hold in his head.
const (
	maxFiles    = 35  // of a package, tests apart
	maxMethods  = 20  // of a type
	maxLines    = 400 // of a file
	maxFunction = 60  // lines of a function
)

// beyond is what is larger than that, with how large it may be. The list is there
// to become empty. Only facades, which hand on and do nothing else, may stay.
var beyond = map[string]int{
	// facades
	"type relay/command.app": 100, // each command
	"type queue.Queue":       24,  // the face of the queue
}

// TestHouseIsSmallEnough holds the limits of packages, types, files and
// functions.
func TestHouseIsSmallEnough(t *testing.T) {
	sizes := measure(t)
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		kind, _, _ := strings.Cut(name, " ")
		limit := map[string]int{"package": maxFiles, "type": maxMethods, "file": maxLines, "function": maxFunction}[kind]
		allowed, known := beyond[name]
		switch size := sizes[name]; {
		case size <= limit && known:
			t.Errorf("%s is small enough now (%d, at most %d): take it off the list", name, size, limit)
		case size > max(limit, allowed):
			t.Errorf("%s has grown to %d, at most %d", name, size, max(limit, allowed))
		}
	}
	for name := range beyond {
		if _, ok := sizes[name]; !ok {
			t.Errorf("%s is no more: take it off the list", name)
		}
	}
}

// measure returns the size of every package (files), type (methods), file and
// function (lines) of the module.
func measure(t *testing.T) map[string]int {
	t.Helper()
	sizes := map[string]int{}
	set := token.NewFileSet()
	for _, root := range []string{"config", "queue", "relay", "render", "scripts"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			dir := strings.TrimPrefix(filepath.Dir(path), "../")
			sizes["package "+dir]++
			sizes["file "+strings.TrimPrefix(path, "../")] = set.File(file.Pos()).LineCount() - 1
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok {
					count(sizes, set, dir, f)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sizes
}

func count(sizes map[string]int, set *token.FileSet, dir string, f *ast.FuncDecl) {
	name := dir + "." + f.Name.Name
	if f.Recv != nil {
		receiver := strings.TrimLeft(typeText(f.Recv.List[0].Type), "*")
		sizes["type "+dir+"."+receiver]++
		name = dir + "." + receiver + "." + f.Name.Name
	}
	sizes["function "+name] = set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
}

func typeText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeText(e.X)
	case *ast.IndexExpr:
		return typeText(e.X)
	case *ast.IndexListExpr:
		return typeText(e.X)
	}
	return fmt.Sprint(e)
}
