package daemon

import (
	"errors"
	"time"

	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/deliver"
	"callrelay/relay/exchange"
	"callrelay/relay/recordings"
)

// Recordings are those of a relay as package deliver sees them.
func Recordings(r *recordings.Recordings) deliver.Recordings { return recordingLinks{r} }

// recordingLinks is the recordings as package deliver sees them.
type recordingLinks struct{ *recordings.Recordings }

// Look implements [deliver.Recordings].
func (r recordingLinks) Look(path string, start, end float64) deliver.Recording {
	return deliverable(r.Recordings.Look(path, start, end))
}

// LookAgent implements [deliver.Recordings].
func (r recordingLinks) LookAgent(path string) deliver.Recording {
	return deliverable(r.Recordings.LookAgent(path))
}

func deliverable(f recordings.File) deliver.Recording {
	return deliver.Recording{
		State: f.State, Name: f.FileName(), Type: f.Type, Bytes: f.Bytes, Seconds: f.Seconds, Channels: f.Channels, SHA256: f.SHA256,
		Open: func() (exchange.File, error) {
			upload, err := f.Open()
			if err != nil {
				return nil, err
			}
			return upload, nil
		},
	}
}

// Late implements [deliver.Recordings].
func (r recordingLinks) Late(path string, e *call.Event, until time.Time) {
	start, end := -1.0, -1.0
	if own, _ := e.Recording(); own == path {
		start, end = e.Slice()
	}
	r.Recordings.Late(path, start, end, e.Body, until)
}

// store keeps the state of the parts in the queue's folder. What was never
// saved is nothing, without an error.
type store struct{ *queue.Queue }

// Load returns what was saved under the name.
func (s store) Load(name string) ([]byte, error) {
	data, err := s.Queue.Load(name)
	if errors.Is(err, queue.ErrNotFound) {
		return nil, nil
	}
	return data, err
}
