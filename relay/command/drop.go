package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"callrelay/relay/deliver"
)

func (a *app) dropCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "drop SERVICE",
		Short:             "Make what waits for a removed service dead letters",
		Long:              "Make what waits for a service that is no longer configured dead letters,\nwith the reason removed. They can still be replayed if the service returns.",
		Args:              takes,
		ValidArgsFunction: a.completeOrphan,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.drop(cmd.Context(), args[0])
		},
	}
}

func (a *app) drop(ctx context.Context, service string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	n, err := c.DropService(ctx, service)
	if err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintf(a.out, "dropped %s of %s\n", deliveries(n), service)
	return err
}

// completeOrphan offers the names of the services that may be dropped.
func (a *app) completeOrphan(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if c, err := a.client(); err == nil {
		st, _ := c.Status(cmd.Context())
		for _, s := range st.Services {
			if s.State == deliver.StateOrphaned {
				names = append(names, s.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func deliveries(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}
