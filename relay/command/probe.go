package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "probe SERVICE",
		Short:             "Try the endpoint of a service now, instead of when it is due",
		Args:              takes,
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.probe(cmd.Context(), args[0])
		},
	}
}

func (a *app) probe(ctx context.Context, service string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := c.Probe(ctx, service); err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintln(a.out, "probing", service)
	return err
}
