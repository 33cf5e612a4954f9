package queue

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

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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
	Format  int                     `json:"format"` // of the queue's folder
	Made    time.Time               `json:"made"`
	Streams map[string]StreamState  `json:"streams"`
	Files   map[string]ManifestPart `json:"files"` // all but the manifest, by path
}

// StreamState is what a stream held.
type StreamState struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
}

// ManifestPart is how a file of a backup is known to be whole.
type ManifestPart struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Backup writes the streams, the floors and the saved states, each to the
// writer that create returns for a path; the one before is then complete. The
// queue works on meanwhile, but for replays, erasures and trimming, which wait.
//
// Nothing that is owed is missing from it: the floors are taken first and the
// streams in the order in which deliveries move. What was delivered while it ran
// may be delivered again after a restore.
func (q *Queue) Backup(ctx context.Context, create func(path string) (io.Writer, error)) (Manifest, error) {
	q.moving.Lock()
	defer q.moving.Unlock()
	b := &backup{q: q, create: create, m: Manifest{
		Format: formatVersion, Made: time.Now().UTC(), Streams: map[string]StreamState{}, Files: map[string]ManifestPart{},
	}}
	if err := b.write(ctx); err != nil {
		return b.m, fmt.Errorf("back up queue: %w", err)
	}
	return b.m, nil
}

// backup is one that is being written.
type backup struct {
	q      *Queue
	create func(path string) (io.Writer, error)
	m      Manifest
}

func (b *backup) write(ctx context.Context) error {
	eng := b.q.engine.Load()
	if eng == nil {
		return record.ErrUnavailable
	}
	if !b.q.base.alone() {
		return errors.New("the queue is a NATS cluster, which has backups of its own")
	}
	if err := b.file(floorsFile, encodeFloors(nil, 1, b.q.currentFloors())); err != nil {
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
	list, err := os.ReadDir(b.q.folder.path(stateFolder))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, file := range list {
		if !stateName.MatchString(file.Name()) {
			continue // one that is being written
		}
		data, err := b.q.Load(file.Name())
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
func (b *backup) stream(ctx context.Context, eng *engine, stream string) error {
	w, err := b.begin(path.Join(stream, streamData))
	if err != nil {
		return err
	}
	info, err := eng.snapshot(ctx, stream, w)
	if err != nil {
		return err
	}
	w.end()
	var state StreamState
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

// streamInfo is the configuration and state of a stream, as a restore asks for
// them.
type streamInfo struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

// chunkTimeout is how long a chunk of a stream may take.
const chunkTimeout = 30 * time.Second

// snapshot writes the stored form of a stream to w.
func (e *engine) snapshot(ctx context.Context, stream string, w io.Writer) (info streamInfo, err error) {
	sub, err := e.nc.SubscribeSync(e.nc.NewInbox())
	if err != nil {
		return info, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	request := fmt.Appendf(nil, `{"deliver_subject":%q,"no_consumers":true}`, sub.Subject)
	answer, err := e.ask(ctx, "$JS.API.STREAM.SNAPSHOT."+stream, request)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(answer, &info); err != nil {
		return info, err
	}
	for {
		m, err := nextChunk(ctx, sub)
		if err != nil {
			return info, err
		}
		if len(m.Data) == 0 {
			return info, snapshotEnd(m.Header)
		}
		if _, err := w.Write(m.Data); err != nil {
			return info, err
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return info, err
			}
		}
	}
}

// snapshotEnd is nil when a snapshot was sent whole.
func snapshotEnd(h nats.Header) error {
	if status := h.Get("Status"); status != "" && status != "204" {
		return fmt.Errorf("%w: %s", record.ErrUnavailable, h.Get("Description"))
	}
	return nil
}

func nextChunk(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// ask makes one request of JetStream that may take a while, and returns the
// answer or its error.
func (e *engine) ask(ctx context.Context, subject string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	m, err := e.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	return m.Data, nil
}
