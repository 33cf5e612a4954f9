package queue

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"golang.org/x/crypto/bcrypt"
)

// The users of the embedded server. Nobody else gets in, on loopback either.
const (
	ownUser     = "relay"   // this process, which alone publishes
	inspectUser = "inspect" // reads, for dashboards and curious people
	adminUser   = "admin"   // administers streams and consumers
)

// cliContext is a context file of the nats CLI.
type cliContext struct {
	Description string `json:"description"`
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
	InboxPrefix string `json:"inbox_prefix"`
}

// contexts are those of the two outside users.
type contexts struct{ inspect, admin cliContext }

// readContexts takes the passwords of the outside users from their context
// files and makes those that are missing.
func readContexts(f *folder) (contexts, error) {
	inspect, err1 := readContext(f, inspectUser, "relay queue: reads only")
	admin, err2 := readContext(f, adminUser, "relay queue: administers streams and consumers")
	return contexts{inspect, admin}, errors.Join(err1, err2)
}

func readContext(f *folder, user, description string) (cliContext, error) {
	c := cliContext{Description: description, User: user, Password: newPassword(), InboxPrefix: inboxPrefix(user)}
	data, err := os.ReadFile(contextPath(f, user))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	var have cliContext
	if err := json.Unmarshal(data, &have); err != nil {
		return c, fmt.Errorf("read %s: %w", contextPath(f, user), err)
	}
	if have.Password != "" {
		c.Password = have.Password
	}
	return c, nil
}

// write keeps the contexts on disk, for whoever may read the queue's folder.
func (c contexts) write(f *folder, url string) error {
	if err := os.MkdirAll(f.path("nats"), 0o700); err != nil {
		return err
	}
	for _, one := range []cliContext{c.inspect, c.admin} {
		one.URL = url
		data, err := json.MarshalIndent(one, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(contextPath(f, one.User), append(data, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func contextPath(f *folder, user string) string { return f.path("nats", user+".json") }

func inboxPrefix(user string) string { return "_INBOX_" + user }

// newPassword returns 256 random bits.
func newPassword() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// hashed is what the server keeps of a password. The least cost is enough for
// 256 random bits.
func hashed(password string) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return newPassword() // one nobody knows; a password beyond 72 bytes is not ours
	}
	return string(hash)
}

// serverUsers returns the accounts of the embedded server; own is the password
// of this process, which only its in-process connections may use.
func serverUsers(own string, c contexts) []*natsserver.User {
	return []*natsserver.User{
		{Username: ownUser, Password: hashed(own), AllowedConnectionTypes: map[string]struct{}{"IN_PROCESS": {}}},
		{Username: inspectUser, Password: hashed(c.inspect.Password), Permissions: &natsserver.Permissions{
			Publish: &natsserver.SubjectPermission{
				Allow: []string{
					"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*",
					"$JS.API.DIRECT.GET.>", "$JS.API.CONSUMER.NAMES.*", "$JS.API.CONSUMER.LIST.*", "$JS.API.CONSUMER.INFO.*.*",
				},
				Deny: []string{
					"$JS.API.STREAM.INFO.DEBUG", "$JS.API.STREAM.MSG.GET.DEBUG", "$JS.API.DIRECT.GET.DEBUG", "$JS.API.DIRECT.GET.DEBUG.>",
					"$JS.API.CONSUMER.NAMES.DEBUG", "$JS.API.CONSUMER.LIST.DEBUG", "$JS.API.CONSUMER.INFO.DEBUG.*",
				},
			},
			Subscribe: &natsserver.SubjectPermission{Allow: []string{inboxPrefix(inspectUser) + ".>"}},
		}},
		{Username: adminUser, Password: hashed(c.admin.Password), Permissions: &natsserver.Permissions{
			Publish:   &natsserver.SubjectPermission{Allow: []string{"$JS.API.>"}},
			Subscribe: &natsserver.SubjectPermission{Allow: []string{inboxPrefix(adminUser) + ".>", "$JS.EVENT.>"}},
		}},
	}
}
