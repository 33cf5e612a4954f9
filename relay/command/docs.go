package command

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"callrelay/relay/manual"
)

// docsCommand is for those who package the relay.
func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "docs FOLDER",
		Short:  "Write the man pages and the completions of all shells",
		Long:   "Write the man pages and the completions of bash, zsh and fish below a folder,\nwhere they belong below /usr/share.",
		Args:   takes,
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeDocs(cmd.Root(), args[0])
		},
	}
}

// pagesDate is what the man pages are dated.
func pagesDate() time.Time {
	if epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(epoch, 0).UTC()
	}
	return time.Now()
}

func writePage(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// writeDocs lays the pages and completions out as below /usr/share. The date of
// the pages is SOURCE_DATE_EPOCH, or today.
func writeDocs(root *cobra.Command, share string) error {
	pages := filepath.Join(share, "man", "man1")
	if err := os.MkdirAll(pages, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	date := pagesDate()
	head := &doc.GenManHeader{Section: "1", Date: &date, Source: "relay " + root.Version, Manual: "Relay"}
	if err := doc.GenManTree(root, head, pages); err != nil {
		return err
	}
	for _, topic := range manual.Topics() {
		file, page := topic.Man(root.Version, date)
		path := filepath.Join(share, "man", "man"+file[len(file)-1:], file)
		if err := writePage(path, page); err != nil {
			return err
		}
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
