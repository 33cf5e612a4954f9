package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"

	"callrelay/queue/record"
)

// StateName is the form of the names of what is saved.
var StateName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Save keeps a small piece of the relay's own state, whole and on disk when it
// returns. The name is of the form [A-Za-z0-9_-]{1,64}.
func (f *Folder) Save(name string, data []byte) error {
	if !StateName.MatchString(name) {
		return fmt.Errorf("save state %q: not a name", name)
	}
	if err := os.MkdirAll(f.Path("state"), 0o700); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return WriteFile(f.Path("state", name), data)
}

// Load returns what was saved last under the name, or [record.ErrNotFound].
func (f *Folder) Load(name string) ([]byte, error) {
	if !StateName.MatchString(name) {
		return nil, fmt.Errorf("load state %q: not a name", name)
	}
	data, err := os.ReadFile(f.Path("state", name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("load state %s: %w", name, record.ErrNotFound)
	}
	return data, err
}

// SaveJSON keeps a value under a name of the queue's state.
func (f *Folder) SaveJSON(name string, value any) error {
	data, err := json.Marshal(value)
	if err == nil {
		err = f.Save(name, data)
	}
	return err
}

// LoadJSON reads what was saved under a name; what was never saved leaves value
// as it is.
func (f *Folder) LoadJSON(name string, value any) error {
	data, err := f.Load(name)
	if errors.Is(err, record.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, value)
	}
	return err
}
