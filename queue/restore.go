package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"callrelay/queue/record"
)

// restoring is a file of the folder while a restore is not finished.
const restoring = "restoring"

// ErrNotEmpty says that a folder to restore into holds something.
var ErrNotEmpty = errors.New("is not empty")

// errUnrestored says that a restore was broken off.
var errUnrestored = errors.New("a restore into it was not finished: empty the folder and restore again")

// Restore fills an empty or missing folder from a backup, which is held against
// its manifest first. The relay must not run. After an error the folder is not
// opened by [Open]; one that is [ErrNotEmpty] changed nothing.
func Restore(ctx context.Context, o Options, from fs.FS) (Manifest, error) {
	o = o.withDefaults()
	m, err := readManifest(from)
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := mustBeEmpty(o.Dir); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	f, err := openFolder(o.Dir)
	if err != nil {
		return m, err
	}
	defer f.close()
	r := &restore{folder: f, o: o, from: from, m: m}
	if err := r.run(ctx); err != nil {
		return m, fmt.Errorf("restore queue %s: %w", o.Dir, err)
	}
	return m, nil
}

// mustBeEmpty refuses a folder that holds anything but a lock.
func mustBeEmpty(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, file := range list {
		if file.Name() != "lock" {
			return fmt.Errorf("queue folder %s %w: it holds %s", dir, ErrNotEmpty, file.Name())
		}
	}
	return nil
}

// readManifest reads the manifest and holds every file against it.
func readManifest(from fs.FS) (Manifest, error) {
	var m Manifest
	data, err := fs.ReadFile(from, ManifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("no whole backup: %s is missing", ManifestFile)
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if m.Format > formatVersion {
		return m, fmt.Errorf("format %d is newer than this relay knows (%d)", m.Format, formatVersion)
	}
	for name, want := range m.Files {
		if err := verify(from, name, want); err != nil {
			return m, err
		}
	}
	return m, nil
}

func verify(from fs.FS, name string, want ManifestPart) error {
	file, err := from.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return err
	}
	if n != want.Bytes || hex.EncodeToString(sum.Sum(nil)) != want.SHA256 {
		return fmt.Errorf("%s is not as it was written", name)
	}
	return nil
}

// restore is one that is under way.
type restore struct {
	folder *folder
	o      Options
	from   fs.FS
	m      Manifest
}

func (r *restore) run(ctx context.Context) error {
	if err := writeFile(r.folder.path(restoring), nil); err != nil {
		return err
	}
	if err := r.streams(ctx); err != nil {
		return err
	}
	if err := r.files(); err != nil {
		return err
	}
	if err := unix.Syncfs(int(r.folder.lock.Fd())); err != nil {
		return err
	}
	if err := os.Remove(r.folder.path(restoring)); err != nil {
		return err
	}
	return syncDir(r.folder.dir)
}

// streams has JetStream take up each stream under the sequences it had.
func (r *restore) streams(ctx context.Context) error {
	o := r.o
	o.Listen = ""
	eng, err := startEngine(ctx, r.folder, o)
	if err != nil {
		return err
	}
	defer eng.stop()
	for stream := range r.m.Streams {
		if err := r.stream(ctx, eng, stream); err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
	}
	return nil
}

func (r *restore) stream(ctx context.Context, eng *engine, stream string) error {
	info, err := fs.ReadFile(r.from, path.Join(stream, streamConfig))
	if err != nil {
		return err
	}
	data, err := r.from.Open(path.Join(stream, streamData))
	if err != nil {
		return err
	}
	defer func() { _ = data.Close() }()
	answer, err := eng.ask(ctx, "$JS.API.STREAM.RESTORE."+stream, info)
	if err != nil {
		return err
	}
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	if err := json.Unmarshal(answer, &to); err != nil {
		return err
	}
	return eng.sendChunks(ctx, to.Subject, data)
}

// sendChunks sends what JetStream restores a stream from, and an empty chunk at
// the end, which is answered once the stream is there.
func (e *engine) sendChunks(ctx context.Context, subject string, data io.Reader) error {
	chunk := make([]byte, 512<<10)
	for {
		n, err := io.ReadFull(data, chunk)
		if n > 0 {
			if err := e.sendChunk(ctx, subject, chunk[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			_, err := e.ask(ctx, subject, nil)
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (e *engine) sendChunk(ctx context.Context, subject string, chunk []byte) error {
	ctx, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	m, err := e.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Data: chunk})
	if err != nil {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	if len(m.Data) > 0 { // the stream cannot be restored, for the reason in it
		return errors.New(string(m.Data))
	}
	return nil
}

// files puts the floors and the saved states in their places.
func (r *restore) files() error {
	for name := range r.m.Files {
		to := ""
		switch state, isState := strings.CutPrefix(name, stateFolder+"/"); {
		case name == floorsFile:
			to = r.folder.path("floors.0")
		case isState && stateName.MatchString(state):
			to = r.folder.path(stateFolder, state)
		default:
			continue
		}
		data, err := fs.ReadFile(r.from, name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := writeFile(to, data); err != nil {
			return err
		}
	}
	return nil
}
