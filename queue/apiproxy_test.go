package queue

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// outsider connects as a user of the nats CLI, and hears what is said against it.
func outsider(t *testing.T, dir, user string) (*nats.Conn, <-chan error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "nats", user+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var c engine.CLIContext
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1024)
	nc, err := nats.Connect(c.URL, nats.UserInfo(c.User, c.Password), nats.CustomInboxPrefix(c.InboxPrefix), nats.SkipSubjectValidation(),
		nats.NoReconnect(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, refused
}

// asked returns what a user is answered.
func asked(t *testing.T, nc *nats.Conn, subject, body string) string {
	t.Helper()
	m, err := nc.RequestWithContext(testContext(t), subject, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return string(m.Data)
}

// holdings is what an attack may not change: how much each stream holds, and how
// far the consumer of crm is.
func holdings(t *testing.T, q *Queue) map[string]uint64 {
	t.Helper()
	eng, held := q.store.Engine(), map[string]uint64{}
	for _, name := range []string{record.Events, record.Retry, record.Dead, record.Attempts, record.Debug} {
		s, err := eng.Stream(testContext(t), name)
		if err != nil {
			t.Fatal(err)
		}
		held[name], held[name+" made"] = s.CachedInfo().State.Msgs, uint64(s.CachedInfo().Created.UnixNano())
	}
	info, err := eng.Consumer(testContext(t), "crm")
	if err != nil {
		t.Fatal(err)
	}
	held["acknowledged"], held["consumer made"] = info.AckFloor.Stream, uint64(info.Created.UnixNano())
	return held
}

// TestNoAnswerToAnOutsideUserDoesAnything asks for all that may be asked and has
// the answers go to all that would do harm.
func TestNoAnswerToAnOutsideUserDoesAnything(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"})
	write(t, q, records("crm", 0, 5)...)
	entries := next(t, q.Lane("crm"), 3)
	if err := entries[2].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := entries[1].Bury(record.Death{Reason: "rejected"}); err != nil {
		t.Fatal(err)
	}
	before := holdings(t, q)
	replies := []string{
		"$JS.API.STREAM.PURGE.EVENTS", "$JS.API.STREAM.DELETE.EVENTS", "$JS.API.STREAM.DELETE.DEAD", "$JS.API.STREAM.DELETE.RETRY",
		"$JS.API.CONSUMER.DELETE.EVENTS.crm", "$JS.API.STREAM.MSG.DELETE.EVENTS", "$JS.ACK.EVENTS.crm.1.1.1.1.0", "$JS.ACK.EVENTS.crm.1.4.4.1.0",
		"events.other.agent_termination", "events.crm.agent_termination", "retry.crm", "dead.crm.rejected", "attempts.crm.delivered", "debug.crm",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.CONNZ", "_INBOX_relay.x", "_INBOX_admin.x", "_INBOX_inspect.x", "_R_.x",
		"admin.STREAM.PURGE.EVENTS", "inspect.STREAM.NAMES", "acknowledge.x", "$JS.FC.EVENTS.crm.x", "$JS.SNAPSHOT.ACK.EVENTS.x", "$NRG.V.x",
	}
	asks := []struct{ subject, body string }{
		{"DIRECT.GET.EVENTS", `{"seq":999999999}`}, // an empty answer is a valid purge
		{"DIRECT.GET.EVENTS", `{"seq":1}`},
		{"DIRECT.GET.EVENTS", `{"seq":1,"no_hdr":true}`},
		{"DIRECT.GET.EVENTS", `{"seq":1,"batch":5}`},
		{"DIRECT.GET.EVENTS.events.crm.post_call", ``},
		{"STREAM.MSG.GET.EVENTS", `{"seq":1}`},
		{"STREAM.INFO.EVENTS", ``},
		{"STREAM.NAMES", ``},
		{"CONSUMER.INFO.EVENTS.crm", ``},
		{"INFO", ``},
		{"CONSUMER.MSG.NEXT.EVENTS.crm", `{"batch":5,"expires":1000000000}`},
		{"CONSUMER.CREATE.EVENTS.x", `{"stream_name":"EVENTS","config":{"name":"x","deliver_subject":"events.other.x","ack_policy":"none"}}`},
		{"CONSUMER.DURABLE.CREATE.EVENTS.x", `{"stream_name":"EVENTS","config":{"durable_name":"x","deliver_subject":"events.other.x","ack_policy":"none"}}`},
		{"STREAM.SNAPSHOT.EVENTS", `{"deliver_subject":"events.other.x"}`},
		{"STREAM.UPDATE.EVENTS", `{"name":"EVENTS","subjects":["events.>"],"republish":{"src":">","dest":"x.>"}}`},
		{"STREAM.CREATE.X", `{"name":"X","subjects":["x"],"republish":{"src":">","dest":"events.other.x"}}`},
	}
	heard := map[string]*nats.Subscription{}
	for _, user := range []string{engine.InspectUser, engine.AdminUser} {
		nc, _ := outsider(t, dir, user)
		sub, err := nc.SubscribeSync(engine.InboxPrefix(user) + ".x")
		if err == nil {
			err = nc.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		heard[user] = sub
	}
	for _, user := range []string{engine.InspectUser, engine.AdminUser} {
		nc, _ := outsider(t, dir, user)
		for _, ask := range asks {
			for _, reply := range replies {
				m := &nats.Msg{Subject: "$JS.API." + ask.subject, Reply: reply, Data: []byte(ask.body), Header: nats.Header{}}
				m.Header.Set("Nats-Trace-Dest", "events.other.x")
				if err := nc.PublishMsg(m); err != nil {
					t.Fatal(err)
				}
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			_ = asked(t, nc, "$JS.API.STREAM.NAMES", "") // by then all before it is answered
		}
	}
	after := holdings(t, q)
	for what, n := range before {
		if after[what] != n {
			t.Errorf("%s: %d before, %d after", what, n, after[what])
		}
	}
	if _, err := q.store.Engine().JS.Stream(testContext(t), "X"); err == nil {
		t.Error("a stream was made")
	}
	// Each asks as often for the other's inbox as for its own.
	if n, _, err := heard[engine.AdminUser].Pending(); err != nil || n > 11 {
		t.Errorf("the admin has heard %d answers, %v: some of them to inspect", n, err)
	}
	if e := next(t, q.Lane("crm"), 1)[0]; e.ID != "crm-3" {
		t.Errorf("next is %s, want crm-3: no delivery was taken away", e.ID)
	}
}

func TestOutsideUsersSeeWhatIsTheirs(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"})
	write(t, q, sample("crm", 0))
	q.Lane("crm")
	for user, sees := range map[string]bool{engine.InspectUser: false, engine.AdminUser: true} {
		nc, _ := outsider(t, dir, user)
		for _, subject := range []string{"$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"} {
			text := asked(t, nc, subject, "")
			if !strings.Contains(text, `"EVENTS"`) || strings.Contains(text, `"DEBUG"`) != sees {
				t.Errorf("%s sees %.300s in %s, want DEBUG: %v", user, text, subject, sees)
			}
		}
		if text := asked(t, nc, "$JS.API.STREAM.MSG.GET.EVENTS", `{"seq":1}`); !strings.Contains(text, `"subject":"events.crm.`) {
			t.Errorf("%s reads %.200s", user, text)
		}
		m, err := nc.RequestWithContext(testContext(t), "$JS.API.DIRECT.GET.EVENTS", []byte(`{"seq":1}`))
		if err != nil || m.Header.Get("Nats-Sequence") != "1" || m.Header.Get("Relay-Id") != "crm-0" {
			t.Errorf("%s reads %v directly, %v", user, m, err)
		}
	}
}

// A listener's memory is not an outside user's to fill.
func TestRequestsOfOutsideUsersAreSmall(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"})
	for _, user := range []string{engine.InspectUser, engine.AdminUser} {
		nc, _ := outsider(t, dir, user)
		if nc.Publish("$JS.API.STREAM.INFO.EVENTS", make([]byte, 17<<10)) == nil && nc.Flush() == nil {
			t.Errorf("%s may send 17 KiB at once", user)
		}
		var all []*nats.Conn
		for range 64 {
			more, err := nats.Connect("nats://"+q.store.Engine().Address(), nats.UserInfo(user, password(t, dir, user)), nats.NoReconnect())
			if err != nil {
				break
			}
			all = append(all, more)
		}
		if len(all) > 16 {
			t.Errorf("%s may have %d connections", user, len(all))
		}
		for _, more := range all {
			more.Close()
		}
	}
}

func password(t *testing.T, dir, user string) string {
	t.Helper()
	c, err := engine.ReadContext(&engine.Folder{Dir: dir}, user, "")
	if err != nil {
		t.Fatal(err)
	}
	return c.Password
}

// A backup comes to the admin's inbox, piece by piece, each of them acknowledged.
func TestTheAdminBacksUpAStream(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"})
	write(t, q, records("crm", 0, 50)...)
	nc, refused := outsider(t, dir, engine.AdminUser)
	pieces, inbox := make(chan *nats.Msg, 1024), nc.NewInbox()
	text := asked(t, nc, "$JS.API.STREAM.SNAPSHOT.EVENTS", `{"deliver_subject":"`+inbox+`","chunk_size":1024}`)
	if strings.Contains(text, `"error"`) {
		t.Fatal(text)
	}
	if _, err := nc.ChanSubscribe(inbox, pieces); err != nil { // after the answer, as the nats CLI does
		t.Fatal(err)
	}
	size := 0
	for ctx := testContext(t); ; {
		select {
		case err := <-refused:
			t.Fatal(err)
		case <-ctx.Done():
			t.Fatalf("after %d bytes nothing came", size)
		case m := <-pieces:
			if len(m.Data) == 0 {
				if size < 1000 || m.Header.Get("Status") != "" && m.Header.Get("Status") != "204" {
					t.Errorf("%d bytes, then %v", size, m.Header)
				}
				return
			}
			size += len(m.Data)
			if m.Reply == "" {
				continue // the last
			}
			if err := m.Respond(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}
