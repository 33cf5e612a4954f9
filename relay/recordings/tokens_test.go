package recordings

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"callrelay/relay/recordings/link"
)

// TestTokensOfManyFiles finds files of a large folder as after a restart, when
// nothing is known of the links that were made.
func TestTokensOfManyFiles(t *testing.T) {
	const files = 5_000
	r, _ := openTest(t, testConfig(t), Options{})
	put(t, r, "2020/0.wav", nil)
	for i := 1; i < files; i++ { // a name each is all it takes
		if err := os.Link(filepath.Join(r.root.dir, "2020/0.wav"), filepath.Join(r.root.dir, fmt.Sprintf("2020/%d.wav", i))); err != nil {
			t.Fatal(err)
		}
	}
	tokens := newTokens(r.root)
	find := func(i int) bool {
		want := fmt.Sprintf("2020/%d.wav", i)
		got, ok := tokens.find("2020", []pathID{{}, link.PathID(want)})
		return ok && got == want
	}
	for i := range files {
		if !find(i) {
			t.Fatalf("file %d is not found", i)
		}
	}
	if find(files) {
		t.Error("a file that is not there is found")
	}
	listed := tokens.folders["2020"].listed
	if find(files); tokens.folders["2020"].listed != listed {
		t.Error("the folder was listed again at once")
	}
	put(t, r, fmt.Sprintf("2020/%d.wav", files), nil)
	waitFor(t, "the new file", func() bool { return find(files) })
}

func TestTokensLetGo(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	for i := range indexedFolders + 10 {
		put(t, r, fmt.Sprintf("%d/a.wav", i), nil)
	}
	for i := range indexedFolders + 10 {
		name := fmt.Sprintf("%d/a.wav", i)
		if got, ok := r.tokens.find(path.Dir(name), []pathID{link.PathID(name)}); !ok || got != name {
			t.Fatalf("find(%s) = %q, %v", name, got, ok)
		}
	}
	if len(r.tokens.folders) != indexedFolders || r.tokens.names != indexedFolders {
		t.Errorf("%d folders with %d names are kept, want %d of both", len(r.tokens.folders), r.tokens.names, indexedFolders)
	}
	if _, kept := r.tokens.folders["0"]; kept {
		t.Error("the folder used least lately is kept")
	}
	for range 100 { // what is not there takes no place
		r.tokens.find(fmt.Sprint("none", time.Now().UnixNano()), []pathID{{}})
	}
	if len(r.tokens.folders) != indexedFolders {
		t.Errorf("%d folders are kept, want %d", len(r.tokens.folders), indexedFolders)
	}
}

// BenchmarkTokens lists a folder of 100,000 files.
func BenchmarkTokens(b *testing.B) {
	r, _ := openTest(b, testConfig(b), Options{})
	for i := range 100_000 {
		put(b, r, fmt.Sprint(i, ".wav"), nil)
	}
	id := []pathID{link.PathID("99.wav")}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, ok := newTokens(r.root).find(".", id); !ok {
				b.Fatal("not found")
			}
		}
	})
	known := newTokens(r.root)
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			known.find(".", id)
		}
	})
}
