package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) debugCommand() *cobra.Command {
	var limit uint
	cmd := &cobra.Command{
		Use:               "debug SERVICE",
		Short:             "Show the exchanges kept while debug was on, newest first",
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.debug(cmd.Context(), args[0], limit)
		},
	}
	cmd.Flags().UintVarP(&limit, "number", "n", 10, "show the newest `N`")
	return cmd
}

func (a *app) debug(ctx context.Context, service string, limit uint) error {
	transcripts, err := a.client().Transcripts(ctx, service, int(limit))
	if err != nil {
		return err
	}
	if len(transcripts) == 0 {
		return hintError{fmt.Errorf("no exchange of service %q was kept", service), "debug = true in its [[service]], then relay reload"}
	}
	for _, t := range transcripts {
		a.printf("== %s  attempt %d of %s\n", t.At.Local().Format(time.DateTime), t.Attempt, t.ID)
		a.printTranscript(t)
		a.printf("\n")
	}
	return nil
}
