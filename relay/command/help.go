package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"callrelay/relay/manual"
)

// groups are the headings of the list of commands, with the commands below each.
func groups() []group {
	return []group{
		{"Run and check:", []func(*app) *cobra.Command{
			(*app).initCommand, (*app).checkCommand, (*app).runCommand, (*app).reloadCommand, (*app).demoCommand,
		}},
		{"Look:", []func(*app) *cobra.Command{
			(*app).statusCommand, (*app).tailCommand, (*app).debugCommand, (*app).deadCommand, (*app).doctorCommand,
			(*app).tagsCommand, (*app).renderCommand, (*app).versionCommand, (*app).helpCommand,
		}},
		{"Act:", []func(*app) *cobra.Command{
			(*app).sendCommand, (*app).testCommand, (*app).replayCommand, (*app).probeCommand, (*app).pauseCommand,
			(*app).resumeCommand, (*app).dropCommand, (*app).eraseCommand,
		}},
		{"The queue:", []func(*app) *cobra.Command{
			(*app).backupCommand, (*app).restoreCommand, (*app).moveCommand, (*app).contextCommand, (*app).hubCommand,
		}},
		{"For shells and packages:", []func(*app) *cobra.Command{(*app).docsCommand}}, // and completion, which the library makes
	}
}

type group struct {
	title    string
	commands []func(*app) *cobra.Command
}

// addCommands puts all commands below root, each under its heading.
func addCommands(a *app, root *cobra.Command) {
	for _, g := range groups() {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, command := range g.commands {
			c := command(a)
			c.GroupID = g.title
			takeWords(c)
			if root.AddCommand(c); c.Name() == "help" {
				root.SetHelpCommand(c)
			}
		}
		root.SetCompletionCommandGroupID(g.title)
	}
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args, completion.RunE = cobra.ArbitraryArgs, parent
	}
}

// helpWidth is how wide a page of the manual is where no terminal says.
const helpWidth = 80

// helpCommand explains a command, as cobra's own does, or a topic of the manual.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Explain a command, or a topic of the manual",
		Args:  cobra.ArbitraryArgs,
		Long:  "Explain a command, or print a page of the manual:\n" + glossary(manual.Topics(), func(t manual.Topic) (name, text string) { return t.Name, t.Title }),
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

// glossary lists words, each with what it means.
func glossary[T any](list []T, word func(T) (name, text string)) string {
	var b strings.Builder
	wide := 0
	for _, one := range list {
		name, _ := word(one)
		wide = max(wide, len(name))
	}
	for _, one := range list {
		name, text := word(one)
		fmt.Fprintf(&b, "\n  %-*s  %s", wide, name, text)
	}
	return b.String()
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
