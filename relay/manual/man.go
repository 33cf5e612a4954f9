package manual

import (
	"fmt"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
)

// Man returns a topic as a man page, relay.toml(5) or relay-TOPIC(7): the name
// of its file and its text in roff.
func (t Topic) Man(version string, date time.Time) (file string, page []byte) {
	name, section := "relay-"+t.Name, "7"
	if t.Name == "config" {
		name, section = "relay.toml", "5"
	}
	text, _ := Page(t.Name)
	_, body, _ := strings.Cut(text, "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "%% %q %q %q %q %q\n", strings.ToUpper(name), section, date.Format("Jan 2006"), "relay "+version, "Relay")
	fmt.Fprintf(&b, "# NAME\n%s - %s\n\n# DESCRIPTION\n", name, t.Title)
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "<!--") {
			b.WriteString(links.ReplaceAllString(line, "$1"))
		}
	}
	return name + "." + section, md2man.Render([]byte(b.String()))
}
