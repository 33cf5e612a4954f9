package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// natsUsers are the users of the queue's listener; the relay keeps a context
// file for each in its queue folder.
var natsUsers = [...]string{"inspect", "admin"}

func (a *app) contextCommand() *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Install nats CLI contexts relay-inspect and relay-admin",
		Long:  "Install contexts for the nats CLI: relay-inspect reads, relay-admin also manages.\nThey hold passwords and are written with mode 0600.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.context(cmd.Context(), show)
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print them instead")
	return cmd
}

func (a *app) context(_ context.Context, show bool) error {
	c, err := a.settings()
	if err != nil {
		return err
	}
	if len(c.Queue.Servers) > 0 {
		return hintError{
			errors.New("the queue is a NATS cluster, whose users are not the relay's to make"),
			"nats context add, with queue.servers and credentials of the cluster",
		}
	}
	if c.Queue.Listen == "" {
		return hintError{errors.New("the queue listens to nobody: queue.listen is empty"), "queue.listen = \"127.0.0.1:4222\", then relay run"}
	}
	for _, user := range natsUsers {
		data, err := os.ReadFile(filepath.Join(c.Queue.Dir, "nats", user+".json"))
		if err != nil {
			return hintError{err, "relay run once: it makes the file; then as the relay's own user or root"}
		}
		if show {
			a.printf("%s\n", data)
			continue
		}
		path, err := installContext("relay-"+user, data)
		if err != nil {
			return err
		}
		a.printf("wrote %s: nats --context relay-%s stream ls\n", path, user)
	}
	return nil
}

// installContext writes a context where the nats CLI looks for it.
func installContext(name string, data []byte) (string, error) {
	base := os.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".config")
	}
	dir := filepath.Join(base, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name+".json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("write context: %w", err)
	}
	return path, os.Chmod(path, 0o600)
}
