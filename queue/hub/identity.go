package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"callrelay/queue/engine"
)

// edgeIdentity tells a queue folder from all others. A backup does not hold it:
// a folder that was restored is another one, whose records a hub has to read
// anew.
type edgeIdentity struct {
	ID   string    `json:"id"`
	Made time.Time `json:"made"`
}

// identityOf returns that of a folder, which it gets when it has none.
func identityOf(f *engine.Folder) (edgeIdentity, error) {
	var id edgeIdentity
	path := f.Path("edge.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		id = edgeIdentity{ID: engine.NewPassword()[:16], Made: time.Now().UTC().Truncate(time.Second)}
		if data, err = json.Marshal(id); err != nil {
			return id, err
		}
		return id, engine.WriteFile(path, append(data, '\n'))
	}
	if err != nil {
		return id, err
	}
	if err := json.Unmarshal(data, &id); err != nil || !engine.StateName.MatchString(id.ID) {
		return id, fmt.Errorf("read %s: no identity in it", path)
	}
	return id, nil
}
