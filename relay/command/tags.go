package command

import (
	"strings"

	"github.com/spf13/cobra"

	"callrelay/relay/call"
)

func (a *app) tagsCommand() *cobra.Command {
	var own, markdown bool
	cmd := &cobra.Command{
		Use:   "tags",
		Short: "List the tags that templates may use, with types and examples",
		Long:  "List the tags with a meaning of their own. Any other member of an event is a\ntag too; members of nested objects are reached as #a.b#.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a.tags(own, markdown)
			return nil
		},
	}
	cmd.Flags().BoolVar(&own, "own", false, "those of the relay's own events, such as relay_dead_letter")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print a Markdown table")
	return cmd
}

func (a *app) tags(own, markdown bool) {
	vocabulary := call.Vocabulary()
	if own {
		vocabulary = call.OwnVocabulary()
	}
	if markdown {
		a.printf("| tag | type | example | meaning |\n|---|---|---|---|\n")
		for _, tag := range vocabulary {
			a.printf("| `#%s#` | %s | `%s` | %s |\n", tag.Name, tag.Type, strings.ReplaceAll(tag.Example, "|", `\|`), tag.Text)
		}
		return
	}
	t := table{head: []string{"TAG", "TYPE", "EXAMPLE", "MEANING"}}
	for _, tag := range vocabulary {
		t.add("#"+tag.Name+"#", tag.Type, tag.Example, tag.Text)
	}
	t.print(a.out)
}
