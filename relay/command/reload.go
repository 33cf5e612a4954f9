package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"callrelay/relay/web"

	"github.com/spf13/cobra"
)

func (a *app) reloadCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running relay read its configuration again",
		Long: "Have the running relay read its configuration again, as SIGHUP does.\nA configuration with problems changes nothing.\n\n" +
			"With --dry-run nothing is changed: it prints which services and sources would be\nadded, changed or gone, whose deliveries would be held, freed or orphaned, and\nwhich settings need a restart.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun {
				return a.planReload(cmd.Context())
			}
			return a.reload(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would change")
	return cmd
}

func (a *app) reload(ctx context.Context) error {
	r, err := a.client().Reload(ctx)
	if err != nil {
		return err
	}
	a.printProblems(r.Problems, r.Warnings)
	if !r.Success {
		return hintError{errors.New("reload refused: the relay runs on with its old configuration"), "relay check"}
	}
	for _, key := range r.Restart {
		_, _ = fmt.Fprintf(a.err, "warning: %s changed: takes effect after a restart\n", key)
	}
	_, err = fmt.Fprintln(a.out, "reloaded, fingerprint", r.Fingerprint)
	return err
}

func (a *app) printProblems(problems, warnings []string) {
	for _, line := range problems {
		_, _ = fmt.Fprintln(a.err, line)
	}
	for _, line := range warnings {
		_, _ = fmt.Fprintln(a.err, "warning:", line)
	}
}

// planReload prints what a reload would do.
func (a *app) planReload(ctx context.Context) error {
	p, err := a.client().Plan(ctx)
	if err != nil {
		return err
	}
	a.printProblems(p.Problems, p.Warnings)
	if !p.Success {
		return hintError{errors.New("a reload would be refused"), "relay check"}
	}
	lines := planLines(p)
	if len(lines) == 0 {
		lines = []string{"nothing would change"}
	}
	for _, line := range lines {
		a.printf("%s\n", line)
	}
	return nil
}

// planLines is a line for each thing that a reload would do.
func planLines(p web.Plan) []string {
	var lines []string
	for _, list := range []struct {
		what  string
		names []string
	}{
		{"service added", p.Services.Added},
		{"service changed", p.Services.Changed},
		{"service gone", p.Services.Gone},
		{"source added", p.Sources.Added},
		{"source changed", p.Sources.Changed},
		{"source gone", p.Sources.Gone},
		{"setting changed", p.Settings},
	} {
		for _, name := range list.names {
			lines = append(lines, list.what+": "+name)
		}
	}
	for _, owed := range []struct {
		what  string
		count map[string]int
	}{
		{"would be held", p.Held}, {"would be freed", p.Freed}, {"would be orphaned", p.Orphaned},
	} {
		for _, name := range slices.Sorted(maps.Keys(owed.count)) {
			lines = append(lines, owed.what+": "+deliveries(owed.count[name])+" of "+name)
		}
	}
	for _, key := range p.Restart {
		lines = append(lines, "needs a restart: "+key)
	}
	return lines
}
