package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "resume SERVICE",
		Short:             "End the pause of a service",
		Args:              takes,
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.resume(cmd.Context(), args[0])
		},
	}
}

func (a *app) resume(ctx context.Context, service string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := c.Resume(ctx, service); err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintln(a.out, "resumed", service)
	return err
}
