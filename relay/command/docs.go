package command

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// docsCommand is for those who package the relay.
func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "docs FOLDER",
		Short:  "Write the man pages and the completions of all shells",
		Long:   "Write the man pages and the completions of bash, zsh and fish below a folder,\nwhere they belong below /usr/share.",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeDocs(cmd.Root(), args[0])
		},
	}
}

// writeDocs lays the pages and completions out as below /usr/share. The date of
// the pages is SOURCE_DATE_EPOCH, or today.
func writeDocs(root *cobra.Command, share string) error {
	pages := filepath.Join(share, "man", "man1")
	if err := os.MkdirAll(pages, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	head := &doc.GenManHeader{Section: "1", Source: "relay " + root.Version, Manual: "Relay"}
	if err := doc.GenManTree(root, head, pages); err != nil {
		return err
	}
	for _, completion := range []struct {
		path  string
		write func(path string) error
	}{
		{"bash-completion/completions/relay", func(path string) error { return root.GenBashCompletionFileV2(path, true) }},
		{"zsh/vendor-completions/_relay", root.GenZshCompletionFile},
		{"fish/vendor_completions.d/relay.fish", func(path string) error { return root.GenFishCompletionFile(path, true) }},
	} {
		path := filepath.Join(share, completion.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := completion.write(path); err != nil {
			return err
		}
	}
	return nil
}
