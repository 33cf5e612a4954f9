package command

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"callrelay/relay/daemon"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the relay",
		Long:  "Run the relay until SIGTERM or SIGINT. SIGHUP reloads the configuration;\none with problems changes nothing and is reported.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.run(cmd.Context())
		},
	}
}

// logTo is where a log goes, which escapes by itself: it looks for the journal.
func logTo(w io.Writer) io.Writer {
	if f, ok := fileOf(w); ok {
		return f
	}
	return w
}

func (a *app) run(ctx context.Context) error {
	err := daemon.Serve(ctx, a.configPath(), a.version, logTo(a.err))
	if problems := daemon.Problems(nil); errors.As(err, &problems) {
		return hintError{err, howToMend(a.configPath())}
	}
	return err
}

// howToMend is the command that goes on from a configuration with a problem.
func howToMend(path string) string {
	if missing(path) {
		return "relay init " + path
	}
	return "relay check -c " + path
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
