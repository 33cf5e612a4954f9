package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// nodes is how many servers there are: the fewest that survive the loss of one.
const nodes = 3

// A node is one nats-server in a process of its own.
type node struct {
	number int
	dir    string
	binary string
	client string // host:port
	cmd    *exec.Cmd
	ended  chan struct{}
}

// start starts the process; after a kill it takes up its folder again.
func (n *node) start() error {
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the process has its own
	n.cmd = exec.Command(n.binary, "-c", filepath.Join(n.dir, "nats.conf"))
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		return fmt.Errorf("start node %d: %w", n.number, err)
	}
	cmd, ended := n.cmd, make(chan struct{})
	n.ended = ended
	go func() { _ = cmd.Wait(); close(ended) }()
	return nil
}

// kill ends the process as a crash does.
func (n *node) kill() { n.end(syscall.SIGKILL) }

func (n *node) end(s os.Signal) {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Signal(s)
	<-n.ended
}

// config is what durability needs of a server: every write synced before it is
// acknowledged, and three of them.
const config = `server_name: n%[1]d
listen: "%[2]s"
jetstream {
  store_dir: %[3]q
  sync_interval: always
  max_file_store: 1T
}
authorization { users: [ { user: relay, password: %[4]q } ] }
cluster {
  name: relay
  listen: "%[5]s"
  no_advertise: true
  authorization { user: route, password: %[4]q }
  routes: [ %[6]s ]
  %[7]s
}
%[8]s
`

// write writes the configuration. The routes to the other nodes go through
// ports that a partition can close.
func (n *node) write(password, route string, routes []string, tls, clusterTLS string) error {
	text := fmt.Sprintf(config, n.number, n.client, filepath.Join(n.dir, "js"), password, route, strings.Join(routes, ", "), clusterTLS, tls)
	return os.WriteFile(filepath.Join(n.dir, "nats.conf"), []byte(text), 0o600)
}
