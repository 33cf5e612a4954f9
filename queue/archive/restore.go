package archive

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

	"golang.org/x/sys/unix"

	"callrelay/queue/engine"
)

// ErrNotEmpty says that a folder to restore into holds something.
var ErrNotEmpty = errors.New("is not empty")

// Restore fills an empty or missing folder from a backup, which is held against
// its manifest first. The relay must not run. After an error the folder is not
// opened by [Open]; one that is [ErrNotEmpty] changed nothing.
func Restore(ctx context.Context, o engine.Options, from fs.FS) (Manifest, error) {
	o = o.WithDefaults()
	m, err := readManifest(from)
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := mustBeEmpty(o.Dir); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	f, err := engine.OpenFolder(o.Dir)
	if err != nil {
		return m, err
	}
	defer f.Close()
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
	if m.Format > engine.FormatVersion {
		return m, fmt.Errorf("format %d is newer than this relay knows (%d)", m.Format, engine.FormatVersion)
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
	folder *engine.Folder
	o      engine.Options
	from   fs.FS
	m      Manifest
}

func (r *restore) run(ctx context.Context) error {
	if err := engine.WriteFile(r.folder.Path(engine.Restoring), nil); err != nil {
		return err
	}
	if err := r.streams(ctx); err != nil {
		return err
	}
	if err := r.files(); err != nil {
		return err
	}
	if err := unix.Syncfs(int(r.folder.Lock.Fd())); err != nil {
		return err
	}
	if err := os.Remove(r.folder.Path(engine.Restoring)); err != nil {
		return err
	}
	return engine.SyncDir(r.folder.Dir)
}

// streams has JetStream take up each stream under the sequences it had.
func (r *restore) streams(ctx context.Context) error {
	o := r.o
	o.Listen = ""
	eng, err := engine.Start(ctx, r.folder, o, nil)
	if err != nil {
		return err
	}
	defer eng.Stop()
	for stream := range r.m.Streams {
		if err := r.stream(ctx, eng, stream); err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
	}
	return nil
}

func (r *restore) stream(ctx context.Context, eng *engine.Engine, stream string) error {
	info, err := fs.ReadFile(r.from, path.Join(stream, streamConfig))
	if err != nil {
		return err
	}
	data, err := r.from.Open(path.Join(stream, streamData))
	if err != nil {
		return err
	}
	defer func() { _ = data.Close() }()
	answer, err := eng.Ask(ctx, "$JS.API.STREAM.RESTORE."+stream, info)
	if err != nil {
		return err
	}
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	if err := json.Unmarshal(answer, &to); err != nil {
		return err
	}
	return eng.Restore(ctx, to.Subject, data)
}

// files puts the floors and the saved states in their places.
func (r *restore) files() error {
	for name := range r.m.Files {
		to := ""
		switch state, isState := strings.CutPrefix(name, stateFolder+"/"); {
		case name == floorsFile:
			to = r.folder.Path("floors.0")
		case isState && engine.StateName.MatchString(state):
			to = r.folder.Path(stateFolder, state)
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
		if err := engine.WriteFile(to, data); err != nil {
			return err
		}
	}
	return nil
}
