package engine

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"golang.org/x/crypto/bcrypt"
)

// The users of the embedded server. Nobody else gets in, on loopback either.
const (
	OwnUser     = "relay"   // this process, which alone publishes
	InspectUser = "inspect" // reads, for dashboards and curious people
	AdminUser   = "admin"   // administers streams and consumers
)

// CLIContext is a context file of the nats CLI.
type CLIContext struct {
	Description string `json:"description"`
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
	InboxPrefix string `json:"inbox_prefix"`
}

// contexts are those of the two outside users.
type contexts struct{ inspect, admin CLIContext }

// readContexts takes the passwords of the outside users from their context
// files and makes those that are missing.
func readContexts(f *Folder) (contexts, error) {
	inspect, err1 := ReadContext(f, InspectUser, "relay queue: reads only")
	admin, err2 := ReadContext(f, AdminUser, "relay queue: administers streams and consumers")
	return contexts{inspect, admin}, errors.Join(err1, err2)
}

// ReadContext reads the context of an outside user, or makes a new one.
func ReadContext(f *Folder, user, description string) (CLIContext, error) {
	c := CLIContext{Description: description, User: user, Password: NewPassword(), InboxPrefix: InboxPrefix(user)}
	data, err := os.ReadFile(contextPath(f, user))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	var have CLIContext
	if err := json.Unmarshal(data, &have); err != nil {
		return c, fmt.Errorf("read %s: %w", contextPath(f, user), err)
	}
	if have.Password != "" {
		c.Password = have.Password
	}
	return c, nil
}

// write keeps the contexts on disk, for whoever may read the queue's folder.
func (c contexts) write(f *Folder, url string) error {
	if err := os.MkdirAll(f.Path("nats"), 0o700); err != nil {
		return err
	}
	for _, one := range []CLIContext{c.inspect, c.admin} {
		one.URL = url
		data, err := json.MarshalIndent(one, "", "  ")
		if err != nil {
			return err
		}
		if err := WriteFile(contextPath(f, one.User), append(data, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func contextPath(f *Folder, user string) string { return f.Path("nats", user+".json") }

// InboxPrefix begins the subjects on which a user is answered.
func InboxPrefix(user string) string { return "_INBOX_" + user }

// NewPassword returns 256 random bits.
func NewPassword() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Hashed is what the server keeps of a password. The least cost is enough for
// 256 random bits.
func Hashed(password string) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return NewPassword() // one nobody knows; a password beyond 72 bytes is not ours
	}
	return string(hash)
}

// reads are the requests of [inspectUser], below $JS.API., and manages those that
// the admin may make besides.
var (
	reads = []string{
		"INFO", "STREAM.NAMES", "STREAM.LIST", "STREAM.INFO.*", "STREAM.MSG.GET.*",
		"DIRECT.GET.>", "CONSUMER.NAMES.*", "CONSUMER.LIST.*", "CONSUMER.INFO.*.*",
	}
	manages = []string{
		"STREAM.PURGE.*", "STREAM.DELETE.*", "STREAM.MSG.DELETE.*", "STREAM.SNAPSHOT.*", "CONSUMER.DELETE.*.*", "CONSUMER.PAUSE.*.*",
	}
	transcripts = []string{
		"STREAM.INFO.DEBUG", "STREAM.MSG.GET.DEBUG", "DIRECT.GET.DEBUG", "DIRECT.GET.DEBUG.>",
		"CONSUMER.NAMES.DEBUG", "CONSUMER.LIST.DEBUG", "CONSUMER.INFO.DEBUG.*",
	}
)

func requests(lists ...[]string) []string {
	var subjects []string
	for _, name := range slices.Concat(lists...) {
		subjects = append(subjects, "$JS.API."+name)
	}
	return subjects
}

// setUsers gives the server its users and their accounts; own is the password of
// this process, which only its in-process connections may use.
func setUsers(o *natsserver.Options, own string, c contexts) error {
	if err := o.ProcessConfigString(outsideAccounts); err != nil {
		return fmt.Errorf("accounts of the outside users: %w", err)
	}
	inProcess := map[string]struct{}{"IN_PROCESS": {}}
	outside := func(user CLIContext, publish, deny []string) *natsserver.User {
		return &natsserver.User{
			Username: user.User, Password: Hashed(user.Password), Account: accountOf(o, strings.ToUpper(user.User)),
			Permissions: &natsserver.Permissions{
				Publish:   &natsserver.SubjectPermission{Allow: publish, Deny: deny},
				Subscribe: &natsserver.SubjectPermission{Allow: []string{InboxPrefix(user.User) + ".>"}},
			},
		}
	}
	o.Users = []*natsserver.User{
		{Username: OwnUser, Password: Hashed(own), AllowedConnectionTypes: inProcess},
		{Username: proxyUser, Password: Hashed(own), AllowedConnectionTypes: inProcess, Account: accountOf(o, "PROXY")},
		outside(c.inspect, requests(reads), requests(transcripts)),
		outside(c.admin, append(requests(reads, manages), acknowledge+">"), nil),
	}
	return nil
}

func accountOf(o *natsserver.Options, name string) *natsserver.Account {
	at := slices.IndexFunc(o.Accounts, func(a *natsserver.Account) bool { return a.Name == name })
	return o.Accounts[at]
}
