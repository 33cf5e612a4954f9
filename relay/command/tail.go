package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"callrelay/relay/web"
)

func (a *app) tailCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "tail [SERVICE]",
		Short:             "Follow attempts as they are made",
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.tail(cmd.Context(), args)
		},
	}
}

func (a *app) tail(ctx context.Context, args []string) error {
	service := ""
	if len(args) == 1 {
		service = args[0]
	}
	p := a.painter()
	return a.client().Tail(ctx, service, func(at web.Attempt) {
		a.printf("%s  %s  %s  attempt %d  %.1f ms  %s  %s\n", at.At.Local().Format(time.TimeOnly), at.Service,
			p.in(p.colour(at.Outcome), at.Outcome), at.Number, at.Elapsed, at.ID, at.Result())
	})
}

// colour is that of an outcome.
func (painter) colour(outcome string) string {
	switch outcome {
	case "delivered":
		return green
	case "dead":
		return red
	default:
		return yellow
	}
}
