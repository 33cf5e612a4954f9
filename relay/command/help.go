package command

import (
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"callrelay/relay/manual"
)

// groups are the headings of the list of commands, with what stands below each.
var groups = [...]struct {
	title    string
	commands string
}{
	{"Run and check:", "init check run reload demo"},
	{"Look:", "status tail debug dead doctor tags render version help"},
	{"Act:", "send test replay probe pause resume drop erase"},
	{"The queue:", "backup restore move hub context"},
	{"For shells and packages:", "completion"},
}

// group puts the commands of root under their headings; one that no heading
// names fails a test.
func group(root *cobra.Command) {
	under := map[string]string{}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for name := range strings.FieldsSeq(g.commands) {
			under[name] = g.title
		}
	}
	for _, c := range root.Commands() {
		if !c.Hidden {
			c.GroupID = under[c.Name()]
		}
	}
	root.SetCompletionCommandGroupID(under["completion"])
}

// helpWidth is how wide a page of the manual is where no terminal says.
const helpWidth = 80

// helpCommand explains a command, as cobra's own does, or a topic of the manual.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Explain a command, or a topic of the manual",
		Long:  "Explain a command, or print a page of the manual:\n\n" + topicList(),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return helpNames(cmd.Root()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if page, ok := manual.Page(args[0]); ok {
					a.printf("%s", manual.Text(page, a.columns()))
					return nil
				}
			}
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usageError{hintError{unknown("topic", strings.Join(args, " ")), "relay help, or one of " + strings.Join(helpNames(cmd.Root()), " ")}}
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// columns is how wide the terminal is that is written to.
func (a *app) columns() int {
	if file, ok := fileOf(a.out); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 20 {
			return min(columns, 100)
		}
	}
	return helpWidth
}

// topicList is the manual's table of contents.
func topicList() string {
	var b strings.Builder
	for _, topic := range manual.Topics() {
		b.WriteString("  " + topic.Name + strings.Repeat(" ", max(0, 17-len(topic.Name))) + topic.Title + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// helpNames are what help explains.
func helpNames(root *cobra.Command) []string {
	var names []string
	for _, topic := range manual.Topics() {
		names = append(names, topic.Name)
	}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}
