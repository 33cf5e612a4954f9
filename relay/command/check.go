package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"callrelay/relay/daemon"
)

func (a *app) checkCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and report every problem in it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.check(cmd.Context(), strict)
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "fail on a warning, too")
	return cmd
}

// check prints all problems and fails, or prints a summary and the warnings.
func (a *app) check(_ context.Context, strict bool) error {
	path := a.configPath()
	s, err := daemon.Look(path)
	if problems := daemon.Problems(nil); errors.As(err, &problems) {
		for _, line := range daemon.ProblemLines(problems) {
			_, _ = fmt.Fprintln(a.err, line)
		}
		err := fmt.Errorf("%s: %s", path, plural(len(problems), "problem"))
		if missing(path) {
			return hintError{err, howToMend(path)}
		}
		return err
	}
	if err != nil {
		return err
	}
	for _, line := range daemon.ProblemLines(s.Warnings) {
		_, _ = fmt.Fprintln(a.err, "warning:", line)
	}
	if n := len(s.Warnings); strict && n > 0 {
		return fmt.Errorf("%s: %s", path, plural(n, "warning"))
	}
	c := s.Config
	active := 0
	for _, service := range c.Services {
		if service.Active {
			active++
		}
	}
	_, err = fmt.Fprintf(a.out, "%s: ok: %s (%d active), %s, %s, %s; fingerprint %s\n", path,
		plural(len(c.Services), "service"), active, plural(len(c.Bindings), "binding"),
		plural(len(c.Sources), "source"), plural(len(s.Warnings), "warning"), c.Fingerprint())
	a.noteWhich()
	if own := s.Table.OwnTags; len(own) > 0 {
		a.printf("tags of your own, which your events bring: %s\n", strings.Join(own, ", "))
	}
	if len(c.Services) == 0 {
		_, _ = fmt.Fprintln(a.err, "no service is in it yet, so nothing is sent: relay init, or relay help config")
	}
	return err
}

// plural is a number and what it counts; many is the plural, where it is not the
// singular with an s.
func plural(n int, one string, many ...string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, append(many, one+"s")[0])
}

func deliveries(n int) string { return plural(n, "delivery", "deliveries") }
