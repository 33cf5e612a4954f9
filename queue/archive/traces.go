package archive

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"callrelay/queue/engine"
)

// Traces returns how many files of the folder hold one of the texts still.
// Records that were delivered, replayed or expired before they were erased leave
// their bytes behind until JetStream writes their file again.
func Traces(ctx context.Context, f *engine.Folder, texts []string) (int, error) {
	n := 0
	err := filepath.WalkDir(f.Dir, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || !d.Type().IsRegular() {
			return nil // a file may go at any time
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				n++
				break
			}
		}
		return nil
	})
	return n, err
}
