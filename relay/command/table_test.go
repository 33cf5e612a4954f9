package command

import (
	"strings"
	"testing"
)

func TestTableAlignsColumns(t *testing.T) {
	var out strings.Builder
	tab := table{head: []string{"NAME", ">COUNT", "REST"}}
	tab.add("é", painter(true).bad("7"), "")
	tab.add("long name", "1234567", "x")
	tab.print(&out)
	tab.add("later", "8", "y")
	tab.print(&out)
	want := "" +
		"NAME         COUNT  REST\n" +
		"é                " + red + "7" + plain + "\n" +
		"long name  1234567  x\n" +
		"later            8  y\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
