package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) pauseCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:               "pause SERVICE",
		Short:             "Hold what is owed to a service, also over restarts, until resume",
		Args:              takes,
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.pause(cmd.Context(), args[0], why)
		},
	}
	cmd.Flags().StringVar(&why, "why", "by an operator", "the reason that relay status shows")
	return cmd
}

func (a *app) pause(ctx context.Context, service, why string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := c.Pause(ctx, service, why); err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintln(a.out, "paused", service)
	return err
}

// completeService offers the names of the configured services to the shell.
func (a *app) completeService(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	c, err := a.settings()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, service := range c.Services {
		names = append(names, service.Name+"\t"+service.Description)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
