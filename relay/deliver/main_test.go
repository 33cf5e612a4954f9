package deliver

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if !transitionsHold(status == 0 && flag.Lookup("test.run").Value.String() == "") {
		status = 1
	}
	os.Exit(status)
}
