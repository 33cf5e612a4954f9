package command

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
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

// writeDocs lays the pages and completions out as below /usr/share. The date of
// the pages is SOURCE_DATE_EPOCH, or today.
func writeDocs(root *cobra.Command, share string) (failed error) {
	write := func(path string, write func(w io.Writer) error) {
		var text bytes.Buffer
		if path = filepath.Join(share, path); failed == nil {
			failed = cmp.Or(write(&text), os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text.Bytes(), 0o644))
		}
	}
	root.DisableAutoGenTag = true
	date := pagesDate()
	head := doc.GenManHeader{Section: "1", Date: &date, Source: "relay " + root.Version, Manual: "Relay"}
	var pages func(c *cobra.Command)
	pages = func(c *cobra.Command) {
		write("man/man1/"+strings.ReplaceAll(c.CommandPath(), " ", "-")+".1", func(w io.Writer) error {
			var page bytes.Buffer
			head := head // the library writes the title into it
			err := doc.GenMan(c, &head, &page)
			text := page.String()
			if c == root {
				text = completeRootPage(root, text)
			}
			return cmp.Or(err, writeText(w, text))
		})
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() {
				pages(below)
			}
		}
	}
	pages(root)
	for _, topic := range manual.Topics() {
		file, page := topic.Man(root.Version, date)
		write("man/man"+file[len(file)-1:]+"/"+file, func(w io.Writer) error { return writeText(w, string(page)) })
	}
	write("bash-completion/completions/relay", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) })
	write("zsh/vendor-completions/_relay", root.GenZshCompletion)
	write("fish/vendor_completions.d/relay.fish", func(w io.Writer) error { return root.GenFishCompletion(w, true) })
	return failed
}

func writeText(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// completeRootPage adds to relay(1) what the library leaves out of it.
func completeRootPage(root *cobra.Command, page string) string {
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
	return strings.Replace(page, next, b.String()+next, 1)
}
