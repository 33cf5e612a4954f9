package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"callrelay/queue"
	"callrelay/relay/daemon"
)

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Fill an empty queue folder from a backup, while the relay is stopped",
		Long: "Fill the queue folder of the configuration, which must be empty or missing, from\n" +
			"what relay backup wrote to DIR. Run it as root or as the user that runs the relay.\n" +
			"All that was owed then is delivered once the relay starts, also what has been\n" +
			"delivered since: stop or pause what must not get it again.",
		Args: takes,
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
	if err != nil {
		return err
	}
	a.printf("restored %s of %s into %s\n", held(m), m.Made.Local().Format(time.DateTime), c.Queue.Dir)
	return nil
}
