package deliver

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"callrelay/relay/exchange"
)

// TestMain runs the tests over both senders, the exchange's own and that of
// net/http, unless the environment chooses one. Benchmarks and fuzzing run once.
func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if _, chosen := os.LookupEnv(exchange.Variable); !chosen && status == 0 && !flagged("test.bench", "test.fuzz", "test.list") {
		fmt.Fprintln(os.Stderr, "again, over net/http:")
		if err := os.Setenv(exchange.Variable, "net/http"); err != nil {
			panic(err)
		}
		status = m.Run()
	}
	if whole := status == 0 && !flagged("test.run", "test.skip", "test.bench", "test.fuzz", "test.list"); !transitionsHold(whole) {
		status = 1
	}
	os.Exit(status)
}

// flagged reports whether one of the flags was given, so that not simply all tests
// run.
func flagged(names ...string) bool {
	for _, name := range names {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return false
}
