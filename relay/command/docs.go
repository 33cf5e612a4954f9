package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	if err := completeRootPage(root, filepath.Join(pages, "relay.1")); err != nil {
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

// completeRootPage adds to relay(1) what the library leaves out of it.
func completeRootPage(root *cobra.Command, path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var b strings.Builder
	section := func(title string, rows [][2]string) {
		b.WriteString(".SH " + title + "\n")
		for _, row := range rows {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", row[0], row[1])
		}
		b.WriteString("\n")
	}
	var commands [][2]string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			commands = append(commands, [2]string{c.Name(), c.Short})
		}
	}
	section("COMMANDS", commands)
	section("FILES", [][2]string{
		{configPlaces[0], "the configuration, in the current folder; see relay.toml(5)"},
		{packageConfig, "the configuration of the packaged service, where the current folder has none"},
		{packageEnvironment, "the environment of the packaged service, such as secrets that the configuration names"},
	})
	section("ENVIRONMENT", [][2]string{
		{"RELAY_CONFIG", "the configuration file, where -c names none"},
		{"RELAY_ADMIN_SOCKET", "the admin socket of the running relay, where --socket names none"},
		{"RELAY_EXCHANGE", "net/http: all services are called by Go's own client; see relay-deliveries(7)"},
	})
	section("EXIT STATUS", [][2]string{{"0", "done"}, {"1", "failed"}, {"2", "wrong usage"}})
	const next = ".SH SEE ALSO"
	return os.WriteFile(path, bytes.Replace(page, []byte(next), []byte(b.String()+next), 1), 0o644)
}
