package queue

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
)

// connect opens a connection as a user of the nats CLI would. The returned
// function reports whether a request was answered without an error.
func connect(t *testing.T, dir, user string) func(subject, body string) error {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "nats", user+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var c engine.CLIContext
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 16)
	nc, err := nats.Connect(c.URL, nats.UserInfo(c.User, c.Password), nats.CustomInboxPrefix(c.InboxPrefix),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return func(subject, body string) error {
		answers := make(chan *nats.Msg, 16)
		inbox := nc.NewInbox()
		if _, err := nc.ChanSubscribe(inbox, answers); err != nil {
			return err
		}
		if err := nc.PublishRequest(subject, inbox, []byte(body)); err != nil {
			return err
		}
		var m *nats.Msg
		select {
		case err := <-refused:
			return err
		case m = <-answers:
		case <-time.After(5 * time.Second):
			return errors.New("no answer")
		}
		if strings.Contains(string(m.Data), `"error":`) {
			return errors.New(string(m.Data))
		}
		return nil
	}
}

func TestUsersMayDoWhatTheyAreFor(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"})
	write(t, q, sample("crm", 1))
	q.Lane("crm")
	for _, test := range []struct {
		name, subject, body string
		inspect, admin      bool
	}{
		{"list streams", "$JS.API.STREAM.LIST", "", true, true},
		{"look at a stream", "$JS.API.STREAM.INFO.EVENTS", "", true, true},
		{"list consumers", "$JS.API.CONSUMER.LIST.EVENTS", "", true, true},
		{"look at a consumer", "$JS.API.CONSUMER.INFO.EVENTS.crm", "", true, true},
		{"read an event", "$JS.API.STREAM.MSG.GET.EVENTS", `{"seq":1}`, true, true},
		{"read an event directly", "$JS.API.DIRECT.GET.EVENTS", `{"seq":1}`, true, true},
		{"look at transcripts", "$JS.API.STREAM.INFO.DEBUG", "", false, true},
		{"read a transcript", "$JS.API.STREAM.MSG.GET.DEBUG", `{"seq":1}`, false, false}, // none is there for the admin
		{"read a transcript directly", "$JS.API.DIRECT.GET.DEBUG.debug.crm", "", false, true},
		{"publish an event", "events.crm.post_call", "{}", false, false},
		{"publish a dead letter", "dead.crm.rejected", "{}", false, false},
		{"park an event", "retry.crm", "{}", false, false},
		{"acknowledge an event", "$JS.ACK.EVENTS.crm.1.1.1.1.0", "", false, false},
		{"pull an event", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.crm", `{"batch":1,"no_wait":true}`, false, false},
		{"create a consumer", "$JS.API.CONSUMER.CREATE.EVENTS.spy", `{"stream_name":"EVENTS","config":{"name":"spy","ack_policy":"none"}}`, false, false},
		{"delete a consumer", "$JS.API.CONSUMER.DELETE.EVENTS.crm", "", false, true},
		{"delete an event", "$JS.API.STREAM.MSG.DELETE.EVENTS", `{"seq":1}`, false, true},
		{"purge a stream", "$JS.API.STREAM.PURGE.EVENTS", "", false, true},
		{"delete a stream", "$JS.API.STREAM.DELETE.DEBUG", "", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := connect(t, dir, engine.InspectUser)(test.subject, test.body); (err == nil) != test.inspect {
				t.Errorf("inspect: got %v, want allowed %v", err, test.inspect)
			}
			if err := connect(t, dir, engine.AdminUser)(test.subject, test.body); (err == nil) != test.admin {
				t.Errorf("admin: got %v, want allowed %v", err, test.admin)
			}
		})
	}
}

func TestNobodyElseGetsIn(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	url := "nats://" + q.store.Engine().Address()
	for _, option := range []nats.Option{nil, nats.UserInfo("relay", ""), nats.UserInfo("inspect", "inspect"), nats.Token("x")} {
		if nc, err := nats.Connect(url, option); err == nil {
			nc.Close()
			t.Error("connected without credentials")
		}
	}
}

func TestPasswordsSurviveRestart(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	shut(t, open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"}))
	before, err := os.ReadFile(filepath.Join(dir, "nats", "admin.json"))
	if err != nil {
		t.Fatal(err)
	}
	shut(t, open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"}))
	after, err := os.ReadFile(filepath.Join(dir, "nats", "admin.json"))
	if err != nil {
		t.Fatal(err)
	}
	password := func(data []byte) string {
		var c engine.CLIContext
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		return c.Password
	}
	if p := password(before); p != password(after) || len(p) != 64 {
		t.Errorf("got passwords %d and %d bytes long, want the same 64", len(p), len(password(after)))
	}
}
