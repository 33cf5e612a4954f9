package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"callrelay/queue"
	"callrelay/relay/daemon"
	"callrelay/relay/web"
)

// allEdges is the value of --hub that stands for every edge.
const allEdges = "*"

// listHub adds --hub to the command that lists: for all edges, or one.
func (f *deadFlags) listHub(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.hub, "hub", "", "those of all edges of the hub, or of one `EDGE`, from the hub's copy")
	cmd.Flags().Lookup("hub").NoOptDefVal = allEdges
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if f.hub == allEdges && len(args) == 1 { // written --hub EDGE
			f.hub = args[0]
			return nil
		}
		return takes(cmd, args)
	}
}

// replayHub adds --hub to the command that replays.
func (f *deadFlags) replayHub(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.hub, "hub", "", "those of this `EDGE` of the hub, which does it itself")
}

// edge is the edge that --hub names; empty: all of them.
func (f *deadFlags) edge() string {
	if f.hub == allEdges {
		return ""
	}
	return f.hub
}

// edgeLetter is a dead letter of an edge in JSON.
type edgeLetter struct {
	Edge string `json:"edge"`
	web.Letter
}

// hubLetters lists the dead letters of edges.
func (a *app) hubLetters(ctx context.Context, f deadFlags) error {
	filter, err := f.filter(nil, time.Now())
	if err != nil {
		return err
	}
	h, _, err := a.hub(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	list := a.letterList(f, append([]string{"EDGE"}, letterHead...)...)
	err = h.Letters(ctx, f.edge(), queue.Filter(filter), func(l queue.EdgeLetter) bool {
		one := daemon.Letter(l.Letter)
		return list.add(one, edgeLetter{l.Edge, one}, l.Edge)
	})
	return explainEdge(list.end(filter, err))
}

// hubReplay has an edge replay dead letters, or only counts them.
func (a *app) hubReplay(ctx context.Context, f deadFlags, args []string) error {
	filter, err := f.filter(args, time.Now())
	if err != nil {
		return err
	}
	h, _, err := a.hub(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	done, n := "replayed", 0
	if f.dryRun {
		done = "would have replayed"
		err = h.Letters(ctx, f.hub, queue.Filter(filter), func(queue.EdgeLetter) bool { n++; return true })
	} else {
		n, err = h.Replay(ctx, f.hub, queue.Filter(filter), a.progress(done, 0))
	}
	if err == nil || n > 0 {
		a.printf("edge %s %s %s\n", f.hub, done, plural(n, "dead letter"))
	}
	return explainEdge(err)
}

// explainEdge adds what to do when the hub or the edge lacks something.
func explainEdge(err error) error {
	switch {
	case errors.Is(err, queue.ErrNotKept):
		return hintError{err, "relay hub --once, or relay hub as a service"}
	case errors.Is(err, queue.ErrAway):
		return hintError{fmt.Errorf("%w: only the edge itself can replay what it holds", err), "relay status --hub"}
	case errors.Is(err, queue.ErrNotFound):
		return hintError{err, "relay status --hub"}
	}
	return err
}
