package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// edgeIdentity tells a queue folder from all others. A backup does not hold it:
// a folder that was restored is another one, whose records a hub has to read
// anew.
type edgeIdentity struct {
	ID   string    `json:"id"`
	Made time.Time `json:"made"`
}

// identity returns that of the folder, which it gets when it has none.
func (f *folder) identity() (edgeIdentity, error) {
	var id edgeIdentity
	path := f.path("edge.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		id = edgeIdentity{ID: newPassword()[:16], Made: time.Now().UTC().Truncate(time.Second)}
		if data, err = json.Marshal(id); err != nil {
			return id, err
		}
		return id, writeFile(path, append(data, '\n'))
	}
	if err != nil {
		return id, err
	}
	if err := json.Unmarshal(data, &id); err != nil || !stateName.MatchString(id.ID) {
		return id, fmt.Errorf("read %s: no identity in it", path)
	}
	return id, nil
}
