package queue

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	"callrelay/queue/record"
)

var stateName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Save keeps a small piece of the relay's own state, whole and on disk when it
// returns. The name is of the form [A-Za-z0-9_-]{1,64}.
func (q *Queue) Save(name string, data []byte) error {
	if !stateName.MatchString(name) {
		return fmt.Errorf("save state %q: not a name", name)
	}
	if err := os.MkdirAll(q.folder.path("state"), 0o700); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return writeFile(q.folder.path("state", name), data)
}

// Load returns what was saved last under the name, or [ErrNotFound].
func (q *Queue) Load(name string) ([]byte, error) {
	if !stateName.MatchString(name) {
		return nil, fmt.Errorf("load state %q: not a name", name)
	}
	data, err := os.ReadFile(q.folder.path("state", name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("load state %s: %w", name, record.ErrNotFound)
	}
	return data, err
}
