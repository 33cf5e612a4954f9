package command

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"callrelay/relay/deliver"
	"callrelay/relay/web"
)

func (a *app) pauseCommand() *cobra.Command {
	why := "by an operator"
	cmd := a.serviceCommand(web.Pause, "Hold what is owed to a service, also over restarts, until resume", "paused", &why)
	cmd.Flags().StringVar(&why, "why", why, "the reason that relay status shows")
	return cmd
}

func (a *app) resumeCommand() *cobra.Command {
	return a.serviceCommand(web.Resume, "End the pause of a service", "resumed", new(string))
}

func (a *app) probeCommand() *cobra.Command {
	return a.serviceCommand(web.Probe, "Try the endpoint of a service now, instead of when it is due", "probing", new(string))
}

// serviceCommand is a command that changes the state of one service, and says
// so.
func (a *app) serviceCommand(change, short, done string, why *string) *cobra.Command {
	return &cobra.Command{
		Use: change + " SERVICE", Short: short, ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := a.client().Change(cmd.Context(), args[0], change, *why)
			if err == nil {
				a.printf("%s %s\n", done, args[0])
			}
			return err
		},
	}
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

func (a *app) dropCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "drop SERVICE",
		Short:             "Make what waits for a removed service dead letters",
		Long:              "Make what waits for a service that is no longer configured dead letters,\nwith the reason removed. They can still be replayed if the service returns.",
		ValidArgsFunction: a.completeOrphan,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := a.client().Change(cmd.Context(), args[0], web.Drop, "")
			if err == nil {
				a.printf("dropped %s of %s\n", deliveries(n), args[0])
			}
			return err
		},
	}
}

// completeOrphan offers the names of the services that may be dropped.
func (a *app) completeOrphan(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	st, _ := a.client().Status(cmd.Context())
	for _, s := range st.Services {
		if s.State == deliver.StateOrphaned {
			names = append(names, s.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) replayCommand() *cobra.Command {
	var f deadFlags
	cmd := &cobra.Command{
		Use:   "replay SERVICE",
		Short: "Send a service again what was delivered to it, and its dead letters",
		Long: "Send a service again what was delivered to it or died, as far back as queue.keep\nand queue.dead_keep reach: to that service only, under its rate and breaker, each\nunder the Webhook-Id it had. Age and attempts start anew. What still waits is left\nalone.\n\n" +
			"It can be stopped at any moment and run again within an hour: what was put back\nis left out then.",
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.service = args[0]
			return a.replay(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "only what was delivered or given up since: a time, or a span such as 2h before now")
	flags.StringVar(&f.until, "until", "", "only what was delivered or given up until: a time, or a span such as 2h before now")
	flags.StringVar(&f.call, "call", "", "only of this call (uii)")
	f.confirm(cmd)
	return cmd
}

func (a *app) replay(ctx context.Context, f deadFlags) error {
	filter, err := f.filter(nil, time.Now())
	if err != nil {
		return err
	}
	if (web.Filter{Service: filter.Service}).Query().Encode() == filter.Query().Encode() && !f.all {
		return hintError{usageError{errors.New("this would send again everything that is kept")}, "--all, or --since 2h, --until or --call"}
	}
	done, err := a.client().Resend(ctx, filter, f.dryRun, a.progress("put back", 0))
	switch count := done.Delivered + done.Letters; {
	case err != nil && count > 0 && !f.dryRun:
		a.printf("put back %s\n", done)
		return hintError{err, "the same again: what is put back is left out for an hour"}
	case err != nil:
		return err
	case f.dryRun:
		a.printf("would put back %s\n", done)
	default:
		a.printf("put back for %s: %s\n", filter.Service, done)
	}
	return nil
}
