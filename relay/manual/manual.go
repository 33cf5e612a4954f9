package manual

import (
	"embed"
	"strings"
)

//go:embed *.md
var pages embed.FS

// A Topic is one page of the manual.
type Topic struct {
	Name  string // as in `relay help NAME`
	Title string // the page's heading
}

// Topics returns all pages in the order in which they are best read.
func Topics() []Topic {
	names := [...]string{
		"config", "events", "templates", "deliveries", "recordings", "callservers", "operating", "commands", "metrics",
		"troubleshooting", "security", "cluster", "hub", "measured", "assumptions", "code",
	}
	topics := make([]Topic, 0, len(names))
	for _, name := range names {
		text, _ := Page(name)
		title, _, _ := strings.Cut(strings.TrimPrefix(text, "# "), "\n")
		topics = append(topics, Topic{Name: name, Title: title})
	}
	return topics
}

// Page returns the Markdown of a topic, and whether there is such a page.
func Page(topic string) (string, bool) {
	text, err := pages.ReadFile(topic + ".md")
	return string(text), err == nil
}
