package command

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/daemon"
)

func (a *app) hubCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "hub",
		Short: "Keep a hub: have it copy from every edge that links to it",
		Long: "Keep the hub that [queue.hub] names, until stopped: make its streams, and have\n" +
			"them copy EVENTS and DEAD of every edge, also of one that comes later. The copies\n" +
			"of all edges together are kept within queue.keep, max_bytes, dead_keep and\n" +
			"dead_max_bytes. Edges work the same without it.\n\n" +
			"relay status --hub lists the edges, relay dead list --hub their dead letters.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.keepHub(cmd.Context(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "only for the edges that are there now")
	cmd.AddCommand(a.hubForgetCommand())
	return cmd
}

func (a *app) hubForgetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "forget EDGE",
		Short: "Forget an edge that is away for good, or the folders and names it had before",
		Long:  "Remove what the hub knows of an edge that is not linked, its copies among it. Of a\nlinked edge, remove the folders and the names that it had before.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.forgetEdge(cmd.Context(), args[0])
		},
	}
}

// hub links to the hub that the configuration names.
func (a *app) hub(ctx context.Context) (*queue.Hub, *config.Config, error) {
	c, err := a.settings()
	if err != nil {
		return nil, nil, err
	}
	o := daemon.HubOf(&c.Queue, a.version)
	if o == nil || len(o.URLs) == 0 {
		return nil, nil, hintError{
			errors.New("no hub: " + a.configPath() + " has no [queue.hub]"),
			"relay -c FILE, whose [queue.hub] has the urls of the hub and the credentials of its operator",
		}
	}
	h, err := queue.OpenHub(ctx, *o)
	if errors.Is(err, queue.ErrUnavailable) {
		err = hintError{err, "[queue.hub] urls with the port where the hub takes leaf nodes (7422 by custom), and its operator's credentials"}
	}
	return h, c, err
}

func (a *app) keepHub(ctx context.Context, once bool) error {
	h, c, err := a.hub(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	q := c.Queue
	limits := queue.HubLimits{
		Keep: q.Keep, DeadKeep: q.DeadKeep, MaxBytes: q.MaxBytes, DeadMaxBytes: q.DeadMaxBytes, Replicas: q.Replicas,
	}
	if !once {
		daemon.NotifyReady()
		return h.Follow(ctx, limits, daemon.NewLogger(logTo(a.err)))
	}
	names, err := h.Keep(ctx, limits)
	if err == nil {
		a.printf("the hub copies from %s: %s\n", plural(len(names), "edge"), joined(strings.Join(names, ", ")))
	}
	return err
}

func (a *app) forgetEdge(ctx context.Context, edge string) error {
	h, _, err := a.hub(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	n, err := h.Forget(ctx, edge)
	if err == nil && n == 0 {
		err = errors.New("edge " + edge + " is linked, and had no folder or name before")
	}
	if err == nil {
		a.printf("forgot %s of edge %s\n", plural(n, "folder"), edge)
	}
	return err
}
