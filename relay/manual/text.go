package manual

import (
	"regexp"
	"strings"
)

// Text lays a page out for a terminal: paragraphs and items wrapped to width
// columns, the rows of a table as a term with its explanation below, marks of
// Markdown left out where they only serve a browser.
func Text(page string, width int) string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case fenced:
			b.WriteString(strings.TrimRight("    "+line, " ") + "\n")
		case strings.HasPrefix(line, "<!--"), ruled.MatchString(line):
		case strings.HasPrefix(line, "#"):
			b.WriteString(strings.ToUpper(strings.TrimLeft(line, "# ")) + "\n")
		case strings.HasPrefix(line, "|"):
			writeRow(&b, line, width)
		default:
			indent := itemMark.FindString(line)
			wrap(&b, indent, strings.Repeat(" ", len(indent)), plain(line[len(indent):]), width)
		}
	}
	return b.String()
}

var (
	ruled    = regexp.MustCompile(`^\|[-:| ]+\|$`)
	itemMark = regexp.MustCompile(`^ *([*-]|\d+\.) +`)
	links    = regexp.MustCompile(`\[([^]]*)\]\(([^)]*)\)`)
	cells    = regexp.MustCompile(`(^|[^\\])\|`)
)

// plain takes emphasis and links out of a text; code keeps its quotes.
func plain(text string) string {
	text = links.ReplaceAllString(text, "$1")
	return strings.ReplaceAll(text, "**", "")
}

// writeRow writes a row's first cell, and the others indented below it.
func writeRow(b *strings.Builder, line string, width int) {
	line = cells.ReplaceAllString(strings.Trim(line, "| "), "$1\x00")
	term, rest, _ := strings.Cut(line, "\x00")
	wrap(b, "  ", "  ", plain(strings.TrimSpace(term)), width)
	var said []string
	for cell := range strings.SplitSeq(rest, "\x00") {
		if cell = strings.TrimSpace(strings.ReplaceAll(cell, `\|`, "|")); cell != "" {
			said = append(said, plain(cell))
		}
	}
	wrap(b, "      ", "      ", strings.Join(said, " · "), width)
}

// wrap writes text in lines of at most width columns, unless a word is longer.
func wrap(b *strings.Builder, first, next, text string, width int) {
	line := first
	for word := range strings.FieldsSeq(text) {
		if len([]rune(line))+len([]rune(word)) > width && strings.TrimSpace(line) != strings.TrimSpace(first) {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = next
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
