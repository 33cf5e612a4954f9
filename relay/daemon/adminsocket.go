package daemon

import (
	"context"
	"sync"

	"callrelay/relay/web"
)

// adminSocket serves the relay's commands. A reload that names another path has
// the socket served there: the commands, which read the same file, find it.
type adminSocket struct {
	open func(path string) (*web.Socket, error)

	path   string // guarded by the reloader's lock
	socket *web.Socket
	next   chan *web.Socket // takes over
	ended  chan struct{}    // closed when none is served any more
}

func newAdminSocket(path string, open func(path string) (*web.Socket, error)) (*adminSocket, error) {
	socket, err := open(path)
	return &adminSocket{open: open, path: path, socket: socket, next: make(chan *web.Socket, 1), ended: make(chan struct{})}, err
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
