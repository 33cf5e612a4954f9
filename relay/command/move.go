package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/daemon"
)

// The places that relay move knows.
const (
	placeCluster  = "cluster"
	placeEmbedded = "embedded"
)

func (a *app) moveCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "move --to (cluster|embedded)",
		Short: "Bring the embedded queue into the cluster, or back, while the relay is stopped",
		Long: "Bring what is owed, what waits for another attempt and the dead letters from the\n" +
			"embedded queue in queue.dir into the cluster of queue.servers, or from there back.\n" +
			"Pauses and the like lie in queue.dir either way. The relay must be stopped; to\n" +
			"bring a site back, all of its relays. When it is broken off, also by a crash, run\n" +
			"it again: nothing is lost and nothing comes twice. History of attempts stays\n" +
			"behind.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to != placeCluster && to != placeEmbedded {
				return usageError{fmt.Errorf("--to %q is none of %s, %s", to, placeCluster, placeEmbedded)}
			}
			return a.move(cmd.Context(), to)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "where to: "+placeCluster+" or "+placeEmbedded)
	return cmd
}

func (a *app) move(ctx context.Context, to string) error {
	c, problems := config.Look(a.configPath())
	if c == nil || len(problems) > 0 {
		return hintError{daemon.Problems(problems), howToMend(a.configPath())}
	}
	if len(c.Queue.Servers) == 0 {
		return hintError{errors.New("queue.servers names no cluster"), "[queue] servers = [...] in " + a.configPath() + ", also to come back from it"}
	}
	if err := becomeOwner(c.Queue.Dir); err != nil {
		return err
	}
	embedded, shared := placesOf(c)
	embedded.Log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	shared.Log = embedded.Log
	from, target, next := embedded, shared, "relay run: its queue is the cluster"
	if to == placeEmbedded {
		from, target, next = shared, embedded, "take servers out of [queue], then relay run"
	}
	m, err := queue.Move(ctx, from, target, func(queue.Moved) {})
	switch {
	case errors.Is(err, queue.ErrBusy):
		return hintError{err, "stop the relay, and to bring a site back all of its relays"}
	case err != nil:
		return hintError{err, "once the cause is gone, the same again: it goes on where it stopped"}
	}
	a.printf("moved %s, %d waiting for another attempt, and %s\nnext: %s\n",
		deliveries(m.Owed+m.Parked), m.Parked, plural(m.Letters, "dead letter"), next)
	return nil
}

// placesOf are the two queues that a configuration with a cluster names.
func placesOf(c *config.Config) (embedded, shared queue.Options) {
	embedded, shared = daemon.QueueOptions(c), daemon.QueueOptions(c)
	embedded.Servers, embedded.Spool = nil, false
	shared.Dir, shared.Spool = filepath.Join(c.Queue.Dir, "move"), false
	return embedded, shared
}
