package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"callrelay/relay/call"
)

// tagsFlags say which names are listed, and how.
type tagsFlags struct{ operational, events, markdown bool }

func (a *app) tagsCommand() *cobra.Command {
	var f tagsFlags
	cmd := &cobra.Command{
		Use:   "tags",
		Short: "List the tags that templates may use, with types and examples",
		Long:  "List the tags with a meaning of their own. Any other member of an event is a\ntag too; members of nested objects are reached as #a.b#.",
		RunE: func(*cobra.Command, []string) error {
			if f.events {
				a.events(f.markdown)
			} else {
				a.tags(f)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.events, "events", false, "list the events, each with its tags")
	flags.BoolVar(&f.operational, "operational", false, "only those of operational events, such as "+call.DeadLetter)
	flags.BoolVar(&f.operational, "own", false, "the former name of --operational")
	_ = flags.MarkHidden("own")
	flags.BoolVar(&f.markdown, "markdown", false, "print a Markdown table")
	return cmd
}

func (a *app) tags(f tagsFlags) {
	tags := call.Vocabulary()
	if f.operational {
		tags = call.OperationalVocabulary()
	}
	t := table{head: []string{"TAG", "TYPE", "GIVEN BY", "EXAMPLE", "MEANING"}}
	for _, tag := range tags {
		t.add("#"+tag.Name+"#", tag.Type, giver(tag), tag.Example, tag.Text)
	}
	a.listing(t, f.markdown)
}

// giver says who gives a tag.
func giver(tag call.Tag) string {
	switch tag.Given {
	case call.ByRelay:
		return "relay"
	case call.ByBoth:
		return "event or relay"
	default:
		return "event"
	}
}

func (a *app) events(markdown bool) {
	t := table{head: []string{"EVENT", "MEANING", "TAGS"}}
	for _, event := range call.EventNames() {
		var names []string
		for _, tag := range event.Vocabulary() {
			names = append(names, tag.Name)
		}
		t.add(event.Name, event.Text, strings.Join(names, " "))
	}
	a.listing(t, markdown)
}

// listing prints a table, or the same as Markdown, where tags and examples stand
// as code.
func (a *app) listing(t table, markdown bool) {
	if !markdown {
		t.print(a.out)
		return
	}
	row := func(cells []string) { a.printf("| %s |\n", strings.Join(cells, " | ")) }
	row(strings.Split(strings.ToLower(strings.Join(t.head, "\n")), "\n"))
	row(strings.Split(strings.Repeat("---\n", len(t.head)-1)+"---", "\n"))
	for _, cells := range t.rows {
		for i, cell := range cells {
			cell = strings.ReplaceAll(cell, "|", `\|`)
			if head := t.head[i]; head == "TAG" || head == "EXAMPLE" || head == "EVENT" || head == "TAGS" {
				cell = fmt.Sprintf("`%s`", cell)
			}
			cells[i] = cell
		}
		row(cells)
	}
}
