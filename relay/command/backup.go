package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/daemon"
	"callrelay/relay/web"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy what the running relay keeps into a new folder",
		Long: "Copy the streams, what of them is done, and the relay's own state into DIR, which\n" +
			"is made or empty, while the relay runs. What was delivered meanwhile may be\n" +
			"delivered again after a restore. The configuration, its secrets and recordings\n" +
			"are files of yours and not in it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.backup(cmd.Context(), args[0])
		},
	}
}

func (a *app) backup(ctx context.Context, dir string) error {
	if err := mustBeEmpty(dir); err != nil {
		return err
	}
	err := a.client().Backup(ctx, func(path string, data io.Reader) error { return writeBelow(dir, path, data) })
	var data []byte
	if err == nil {
		data, err = os.ReadFile(filepath.Join(dir, queue.ManifestFile))
	}
	var m queue.Manifest
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	switch {
	case errors.Is(err, web.ErrNotRunning):
		return err
	case err != nil:
		return fmt.Errorf("backup %s is not whole: %w", dir, err)
	}
	a.printf("backed up %s to %s\n", held(m), dir)
	return nil
}

// held is what a backup holds, in few words.
func held(m queue.Manifest) string {
	var records, bytes uint64
	for _, s := range m.Streams {
		records += s.Messages
		bytes += s.Bytes
	}
	return fmt.Sprintf("%s (%s)", plural(int(records), "record"), web.Size(int64(bytes)))
}

// mustBeEmpty refuses a folder that holds anything. It need not be there.
func mustBeEmpty(dir string) error {
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(list) > 0:
		return hintError{fmt.Errorf("%s is not empty", dir), "a new folder"}
	}
	return err
}

// writeBelow writes a file below a folder, which it makes for its owner alone, and
// returns once it is on disk.
func writeBelow(dir, path string, data io.Reader) error {
	if !filepath.IsLocal(path) {
		return fmt.Errorf("write %q: %w", path, fs.ErrInvalid)
	}
	path = filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, data)
	return errors.Join(err, file.Sync(), file.Close())
}

// mustBeHere refuses what a cluster does by itself.
func mustBeHere(c *config.Config) error {
	if len(c.Queue.Servers) == 0 {
		return nil
	}
	return hintError{
		errors.New("the queue is a NATS cluster, which has backups of its own"),
		"nats stream backup and nats stream restore, for each stream of the site",
	}
}

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Fill an empty queue folder from a backup, while the relay is stopped",
		Long: "Fill the queue folder of the configuration, which must be empty or missing, from\n" +
			"what relay backup wrote to DIR. Run it as root or as the user that runs the relay.\n" +
			"All that was owed then is delivered once the relay starts, also what has been\n" +
			"delivered since: stop or pause what must not get it again.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.restore(cmd.Context(), args[0])
		},
	}
}

func (a *app) restore(ctx context.Context, dir string) error {
	c, err := a.settings()
	if err == nil {
		err = mustBeHere(c)
	}
	if err != nil {
		return err
	}
	from, err := holdFiles(dir)
	if err != nil {
		return fmt.Errorf("backup %s: %w", dir, err)
	}
	defer func() { _ = from.close() }()
	if err := becomeOwner(c.Queue.Dir); err != nil {
		return err
	}
	o := daemon.QueueOptions(c)
	o.Log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	m, err := queue.Restore(ctx, o, from)
	if errors.Is(err, queue.ErrNotEmpty) {
		return hintError{err, "stop the relay and move " + c.Queue.Dir + " away"}
	}
	if err == nil {
		err = daemon.ForgetSockets(c.Queue.Dir) // the relay that was backed up may still run
	}
	if err != nil {
		return err
	}
	a.printf("restored %s of %s into %s\n", held(m), m.Made.Local().Format(time.DateTime), c.Queue.Dir)
	return nil
}
