package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

// The files of a backup. A stream lies in a folder of its own, in the form that
// the nats CLI reads and writes.
const (
	ManifestFile = "backup.json" // written last: a backup without it is not whole
	floorsFile   = "floors"
	stateFolder  = "state"
	streamConfig = "backup.json"
	streamData   = "stream.tar.s2"
)

// Manifest says what a backup holds.
type Manifest struct {
	Format  int                           `json:"format"` // of the queue's folder
	Made    time.Time                     `json:"made"`
	Streams map[string]engine.StreamState `json:"streams"`
	Files   map[string]ManifestPart       `json:"files"` // all but the manifest, by path
}

// ManifestPart is how a file of a backup is known to be whole.
type ManifestPart struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Backup writes the streams, the floors, as they are told, and the saved states,
// each to the writer that create returns for a path; the one before is then
// complete. The
// queue works on meanwhile, but for replays, erasures and trimming, which wait.
//
// Nothing that is owed is missing from it: the floors are taken first and the
// streams in the order in which deliveries move. What was delivered while it ran
// may be delivered again after a restore.
func Backup(ctx context.Context, s *journal.Store, floors func() lane.Floors, create func(path string) (io.Writer, error)) (Manifest, error) {
	s.Moving.Lock()
	defer s.Moving.Unlock()
	b := &backup{s: s, floors: floors, create: create, m: Manifest{
		Format: engine.FormatVersion, Made: time.Now().UTC(), Streams: map[string]engine.StreamState{}, Files: map[string]ManifestPart{},
	}}
	if err := b.write(ctx); err != nil {
		return b.m, fmt.Errorf("back up queue: %w", err)
	}
	return b.m, nil
}

// backup is one that is being written.
type backup struct {
	s      *journal.Store
	floors func() lane.Floors
	create func(path string) (io.Writer, error)
	m      Manifest
}

func (b *backup) write(ctx context.Context) error {
	eng := b.s.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	if len(b.s.Options.Servers) > 0 {
		return errors.New("the queue is a NATS cluster, which has backups of its own: nats stream backup, for each stream of the site")
	}
	if err := b.file(floorsFile, lane.EncodeFloors(nil, 1, b.floors())); err != nil {
		return err
	}
	for _, stream := range record.Order {
		if err := b.stream(ctx, eng, stream); err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
	}
	if err := b.states(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(b.m, "", "  ")
	if err != nil {
		return err
	}
	w, err := b.create(ManifestFile)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	return err
}

// states writes what the relay has saved under names.
func (b *backup) states() error {
	list, err := os.ReadDir(b.s.Folder.Path(stateFolder))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, file := range list {
		if !engine.StateName.MatchString(file.Name()) {
			continue // one that is being written
		}
		data, err := b.s.Folder.Load(file.Name())
		if err == nil {
			err = b.file(path.Join(stateFolder, file.Name()), data)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// file writes a small file.
func (b *backup) file(name string, data []byte) error {
	w, err := b.begin(name)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	w.end()
	return err
}

// begin begins a file that the manifest lists.
func (b *backup) begin(name string) (*part, error) {
	w, err := b.create(name)
	if err != nil {
		return nil, err
	}
	return &part{m: &b.m, name: name, to: w, sum: sha256.New()}, nil
}

// part counts and sums what is written to a file.
type part struct {
	m     *Manifest
	name  string
	to    io.Writer
	sum   hash.Hash
	bytes int64
}

func (p *part) Write(data []byte) (int, error) {
	n, err := p.to.Write(data)
	p.sum.Write(data[:n])
	p.bytes += int64(n)
	return n, err
}

func (p *part) end() {
	p.m.Files[p.name] = ManifestPart{p.bytes, hex.EncodeToString(p.sum.Sum(nil))}
}

// stream writes a stream as the nats CLI does.
func (b *backup) stream(ctx context.Context, eng *engine.Engine, stream string) error {
	w, err := b.begin(path.Join(stream, streamData))
	if err != nil {
		return err
	}
	info, err := eng.Snapshot(ctx, stream, w)
	if err != nil {
		return err
	}
	w.end()
	var state engine.StreamState
	if err := json.Unmarshal(info.State, &state); err != nil {
		return err
	}
	b.m.Streams[stream] = state
	data, err := json.Marshal(info)
	if err != nil {
		return err
	}
	return b.file(path.Join(stream, streamConfig), data)
}
