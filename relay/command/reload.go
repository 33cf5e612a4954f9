package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have the running relay read its configuration again",
		Long:  "Have the running relay read its configuration again, as SIGHUP does.\nA configuration with problems changes nothing.",
		Args:  takes,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.reload(cmd.Context())
		},
	}
}

func (a *app) reload(ctx context.Context) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	r, err := c.Reload(ctx)
	if err != nil {
		return explain(err)
	}
	for _, line := range r.Problems {
		_, _ = fmt.Fprintln(a.err, line)
	}
	if !r.Success {
		return hintError{errors.New("reload refused: the relay runs on with its old configuration"), "relay check"}
	}
	for _, line := range r.Warnings {
		_, _ = fmt.Fprintln(a.err, "warning:", line)
	}
	for _, key := range r.Restart {
		_, _ = fmt.Fprintf(a.err, "warning: %s changed: takes effect after a restart\n", key)
	}
	_, err = fmt.Fprintln(a.out, "reloaded, fingerprint", r.Fingerprint)
	return err
}
