package queuetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Variable names the environment variable that holds the URLs of the cluster,
// separated by commas. Empty or not set: tests use the embedded queue.
const Variable = "RELAY_TEST_QUEUE"

// T is the part of *testing.T that a test's queue needs.
type T interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Place says where the records of a test are kept. Without servers that is the
// embedded queue.
type Place struct {
	Servers     []string // URLs
	Credentials string   // user:password
	Site        string
	Replicas    int
}

// Cluster returns the place that stands for a folder. Its streams are removed
// when the test ends.
func Cluster(t T, dir string) Place {
	t.Helper()
	p := Site(dir)
	if len(p.Servers) > 0 {
		t.Cleanup(func() {
			if err := p.remove(); err != nil {
				t.Fatalf("remove site %s: %v", p.Site, err)
			}
		})
	}
	return p
}

// Site is [Cluster] without removing anything, for the process of a test that is
// killed.
func Site(dir string) Place {
	var p Place
	for text := range strings.SplitSeq(os.Getenv(Variable), ",") {
		server, err := url.Parse(text)
		if err != nil || text == "" {
			continue
		}
		if server.User != nil {
			p.Credentials, server.User = server.User.String(), nil
		}
		p.Servers = append(p.Servers, server.String())
	}
	if len(p.Servers) > 0 {
		sum := sha256.Sum256([]byte(dir))
		p.Site, p.Replicas = "t"+hex.EncodeToString(sum[:8]), 1
		if len(p.Servers) >= 3 {
			p.Replicas = 3
		}
	}
	return p
}

// Configure gives a configuration the place: keys of its [queue] table.
func (p Place) Configure(toml string) string {
	if len(p.Servers) == 0 || strings.Contains(toml, "servers = ") {
		return toml
	}
	keys := fmt.Sprintf("[queue]\nservers = [\"%s\"]\ncredentials = %q\nsite = %q\nreplicas = %d\n",
		strings.Join(p.Servers, `", "`), p.Credentials, p.Site, p.Replicas)
	return strings.Replace(toml, "[queue]\n", keys, 1)
}

// NeedsFolder skips a test of the folder that the embedded queue keeps its
// records in.
func NeedsFolder(t interface {
	Helper()
	Skip(args ...any)
},
) {
	t.Helper()
	if os.Getenv(Variable) != "" {
		t.Skip("of the folder of the embedded queue: a cluster keeps the records elsewhere")
	}
}

// remove deletes the streams of the site.
func (p Place) remove() error {
	user, password, _ := strings.Cut(p.Credentials, ":")
	nc, err := nats.Connect(strings.Join(p.Servers, ","), nats.UserInfo(user, password), nats.Timeout(5*time.Second))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if strings.HasSuffix(name, "-"+p.Site) {
			if err := js.DeleteStream(ctx, name); err != nil {
				return err
			}
		}
	}
	return names.Err()
}
