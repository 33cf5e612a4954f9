package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"callrelay/relay/web"
)

// adminSocket serves the relay's commands. A reload that names another path has
// the socket served there: the commands, which read the same file, find it.
type adminSocket struct {
	open  func(path string) (*web.Socket, error)
	moved func(path string) // is called with where it is served

	path   string // guarded by the reloader's lock
	socket *web.Socket
	next   chan *web.Socket // takes over
	ended  chan struct{}    // closed when none is served any more
}

func newAdminSocket(path string, open func(path string) (*web.Socket, error), moved func(path string)) (*adminSocket, error) {
	socket, err := open(path)
	if err == nil {
		moved(path)
	}
	return &adminSocket{open: open, moved: moved, path: path, socket: socket, next: make(chan *web.Socket, 1), ended: make(chan struct{})}, err
}

// prepare implements [live]. It binds, and so comes last of what can fail.
func (a *adminSocket) prepare(next *Loaded) (commit func(), err error) {
	path := next.Config.Admin.Socket
	if path == a.path {
		return nil, nil
	}
	socket, err := a.open(path)
	if err != nil {
		return nil, err
	}
	return func() {
		a.path = path
		a.moved(path)
		select {
		case a.next <- socket:
		case <-a.ended:
			_ = socket.Close()
		}
	}, nil
}

// run serves until ctx ends. A request that a socket is answering when another
// one takes over is answered still.
func (a *adminSocket) run(ctx context.Context) error {
	var old sync.WaitGroup
	defer old.Wait()
	defer close(a.ended)
	for {
		serving, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- a.socket.Run(serving) }()
		select {
		case err := <-ended:
			stop()
			return err
		case socket := <-a.next:
			a.socket = socket
			stop()
			old.Go(func() {
				<-ended
			})
		}
	}
}

// socketsState is the state of the queue that says where a relay is served.
const socketsState = "sockets"

// Sockets are the paths at which a relay is served, which may be others than those
// in its configuration when that was changed since.
type Sockets struct {
	Admin  string `json:"admin"`
	Intake string `json:"intake"`
}

// RunningSockets reads where the relay that has a queue's folder is served, or was
// last; empty where that is not known, or not to be known by this user.
func RunningSockets(queueDir string) (s Sockets) {
	if data, err := os.ReadFile(filepath.Join(queueDir, "state", socketsState)); err == nil {
		_ = json.Unmarshal(data, &s)
	}
	return s
}

// ForgetSockets removes from a queue's folder where its relay is served.
func ForgetSockets(queueDir string) error {
	err := os.Remove(filepath.Join(queueDir, "state", socketsState))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// keepSockets keeps where the relay is served for commands that read another
// configuration.
func (p *Daemon) keepSockets(admin string) {
	data, err := json.Marshal(Sockets{Admin: admin, Intake: p.first.Config.Intake.Socket})
	if err == nil {
		err = p.queue.Save(socketsState, data)
	}
	if err != nil {
		p.log.Warn("where the relay is served is not kept", "err", err)
	}
}
