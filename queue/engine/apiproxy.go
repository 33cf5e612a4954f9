package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callrelay/queue/record"
)

// outsideAccounts are those of the outside users. NATS checks who may publish a
// request, and not where its answer goes, so the users share no account with the
// streams: what they ask comes to an account in between, where [apiProxy] asks
// it anew, and answers can go nowhere but back. A backup of a stream is sent to
// the admin's inbox, piece by piece, and each is acknowledged.
const outsideAccounts = `
accounts {
  PROXY { exports = [
    { service: "inspect.>", accounts: [INSPECT] }
    { service: "admin.>", accounts: [ADMIN] }
    { service: "acknowledge.>", accounts: [ADMIN] }
    { stream: "_INBOX_admin.>", accounts: [ADMIN] }
  ] }
  INSPECT {
    limits { max_payload: 16384, max_subscriptions: 64, max_connections: 16 }
    imports = [ { service: { account: PROXY, subject: "inspect.>" }, to: "$JS.API.>" } ]
  }
  ADMIN {
    limits { max_payload: 16384, max_subscriptions: 64, max_connections: 16 }
    imports = [
      { service: { account: PROXY, subject: "admin.>" }, to: "$JS.API.>" }
      { service: { account: PROXY, subject: "acknowledge.>" } }
      { stream: { account: PROXY, subject: "_INBOX_admin.>" } }
    ]
  }
}`

const (
	proxyUser      = "proxy"
	outsidePending = 64               // requests of one user that may wait; more are dropped
	snapshotTime   = 10 * time.Minute // for a backup of one stream
	codeRefused    = 10039            // JetStream's error code of an account without rights
	snapshotAck    = "$JS.SNAPSHOT.ACK."
	acknowledge    = "acknowledge." // the same, to the admin
)

// apiProxy asks of JetStream what the outside users ask of it. That they may is
// settled before, by their permissions. It is the only way from them to the
// streams; no header of theirs passes, and no reply subject.
type apiProxy struct {
	eng *Engine
	nc  *nats.Conn
}

func openProxy(eng *Engine, password string) (*apiProxy, error) {
	nc, err := ConnectInside(eng.Server, proxyUser, password)
	if err != nil {
		return nil, fmt.Errorf("connect to embedded server: %w", err)
	}
	p := &apiProxy{eng: eng, nc: nc}
	for subject, take := range map[string]nats.MsgHandler{
		InspectUser + ".>": func(m *nats.Msg) { p.answer(m, p.ask(m)) },
		AdminUser + ".>":   func(m *nats.Msg) { p.answer(m, p.ask(m)) },
		acknowledge + ">": func(m *nats.Msg) {
			_ = eng.NC.Publish(snapshotAck+strings.TrimPrefix(m.Subject, acknowledge), nil)
		},
	} {
		sub, err := nc.Subscribe(subject, take)
		if err == nil {
			err = sub.SetPendingLimits(outsidePending, outsidePending<<14)
		}
		if err != nil {
			nc.Close()
			return nil, fmt.Errorf("serve outside users: %w", err)
		}
	}
	return p, nil
}

// ConnectInside connects to the embedded server for as long as it runs.
func ConnectInside(ns *natsserver.Server, user, password string) (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(ns), nats.UserInfo(user, password), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}

// ask returns JetStream's answer to a request, or a refusal.
func (p *apiProxy) ask(m *nats.Msg) *nats.Msg {
	user, request, _ := strings.Cut(m.Subject, ".")
	body := m.Data
	switch {
	case strings.HasPrefix(request, "DIRECT.GET.") && asksForMany(body):
		return Refuse("one record at a time")
	case strings.HasPrefix(request, "STREAM.SNAPSHOT."):
		var err error
		if body, err = p.snapshot(body); err != nil {
			return Refuse(err.Error())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), RequestTimeout)
	defer cancel()
	answer, err := p.eng.NC.RequestWithContext(ctx, "$JS.API."+request, body)
	if err != nil {
		return Refuse("the queue did not answer")
	}
	if user == InspectUser && (request == "STREAM.LIST" || request == "STREAM.NAMES") {
		return withoutDebug(answer)
	}
	return answer
}

// asksForMany reports whether a request has more than one answer.
func asksForMany(body []byte) bool {
	var many struct {
		Batch     int             `json:"batch"`
		MultiLast json.RawMessage `json:"multi_last"`
	}
	return json.Unmarshal(body, &many) == nil && (many.Batch > 1 || many.MultiLast != nil)
}

// answer goes back over the reply that the server made for the request.
func (p *apiProxy) answer(m, answer *nats.Msg) {
	if m.Reply != "" {
		_ = p.nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: answer.Header, Data: answer.Data})
	}
}

// snapshot has the pieces of a backup come here, to be passed on to the inbox
// that the request names.
func (p *apiProxy) snapshot(body []byte) ([]byte, error) {
	var request natsserver.JSApiStreamSnapshotRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, errors.New("not understood")
	}
	to := request.DeliverSubject
	if !strings.HasPrefix(to, InboxPrefix(AdminUser)+".") || strings.ContainsAny(to, "*> ") {
		return nil, fmt.Errorf("a backup goes to %s.>", InboxPrefix(AdminUser))
	}
	request.DeliverSubject = p.eng.NC.NewInbox()
	go p.passOn(request.DeliverSubject, to)
	return json.Marshal(request)
}

// passOn waits a moment for who asked to listen, as JetStream does: the nats CLI
// begins after the answer, beside a subscription to all of its answers, which
// takes the pieces for nothing. Then it listens itself.
func (p *apiProxy) passOn(from, to string) {
	account, err := p.eng.Server.LookupAccount(strings.ToUpper(AdminUser))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; err == nil && account.Interest(to) < 2 && tries < 50; tries++ {
		<-tick.C
	}
	sub, err := p.eng.NC.Subscribe(from, func(piece *nats.Msg) {
		_ = p.nc.PublishMsg(&nats.Msg{Subject: to, Reply: strings.Replace(piece.Reply, snapshotAck, acknowledge, 1), Header: piece.Header, Data: piece.Data})
		if len(piece.Data) == 0 { // the end
			_ = piece.Sub.Unsubscribe()
		}
	})
	if err == nil {
		time.AfterFunc(snapshotTime, func() { _ = sub.Unsubscribe() })
	}
}

// withoutDebug takes the stream of transcripts out of a list.
func withoutDebug(answer *nats.Msg) *nats.Msg {
	var list map[string]any
	if json.Unmarshal(answer.Data, &list) != nil {
		return Refuse("not understood")
	}
	streams, _ := list["streams"].([]any)
	kept := slices.DeleteFunc(streams, func(s any) bool {
		if info, listed := s.(map[string]any); listed {
			config, _ := info["config"].(map[string]any)
			return config["name"] == record.Debug
		}
		return s == record.Debug // a name
	})
	if total, ok := list["total"].(float64); ok {
		list["total"] = total - float64(len(streams)-len(kept))
	}
	list["streams"] = kept
	data, _ := json.Marshal(list) // it was JSON
	return &nats.Msg{Data: data}
}

// Refuse answers as JetStream does.
func Refuse(why string) *nats.Msg {
	data, _ := json.Marshal(natsserver.ApiResponse{ // of strings and numbers: it never fails
		Type:  "io.nats.jetstream.api.v1.refused",
		Error: &natsserver.ApiError{Code: 403, ErrCode: codeRefused, Description: why},
	})
	return &nats.Msg{Data: data}
}
