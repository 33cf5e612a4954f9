package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

// A cluster is three nodes on loopback.
type cluster struct {
	dir      string
	password string
	secure   bool
	nodes    [nodes]*node
	wires    [nodes][nodes]*queuetest.Wire // from, to
}

// newCluster builds the server from the module's own version and starts the
// nodes; with secure, clients and routes speak TLS.
func newCluster(dir string, secure bool) (*cluster, error) {
	c := &cluster{dir: dir, password: rand.Text(), secure: secure}
	binary := filepath.Join(dir, "nats-server")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build nats-server: %w\n%s", err, out)
	}
	var routes [nodes]string
	held := &ports{} // until the wires have theirs
	for i := range c.nodes {
		n := &node{number: i + 1, dir: filepath.Join(dir, fmt.Sprint("n", i+1)), binary: binary}
		n.client, routes[i] = held.address(), held.address()
		if err := os.Mkdir(n.dir, 0o700); err != nil {
			return nil, err
		}
		c.nodes[i] = n
	}
	if secure {
		if err := trial.WriteCertificates(dir); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(held.err, c.configure(routes)); err != nil {
		return nil, err
	}
	held.release()
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return nil, errors.Join(err, c.stop())
		}
	}
	if err := c.await(time.Minute); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) configure(routes [nodes]string) error {
	for i, n := range c.nodes {
		var urls []string
		for j := range c.nodes {
			if i == j {
				continue
			}
			w, err := queuetest.NewWire(routes[j])
			if err != nil {
				return err
			}
			c.wires[i][j] = w
			urls = append(urls, fmt.Sprintf("nats://route:%s@%s", c.password, w.Address()))
		}
		tls, clusterTLS := "", ""
		if c.secure {
			tls = fmt.Sprintf("tls { cert_file: %q, key_file: %q }", c.path("cert.pem"), c.path("key.pem"))
			clusterTLS = fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q }", c.path("cert.pem"), c.path("key.pem"), c.path("ca.pem"))
		}
		if err := n.write(c.password, routes[i], urls, tls, clusterTLS); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// urls is where clients find the nodes. They hold the password only where no
// file can.
func (c *cluster) urls() []string {
	var urls []string
	for _, n := range c.nodes {
		if c.secure {
			urls = append(urls, "tls://"+n.client)
		} else {
			urls = append(urls, fmt.Sprintf("nats://relay:%s@%s", c.password, n.client))
		}
	}
	return urls
}

// partition separates a node from the others, or joins it to them again.
func (c *cluster) partition(node int, apart bool) {
	for i := range c.nodes {
		if i != node {
			c.wires[i][node].Set(apart)
			c.wires[node][i].Set(apart)
		}
	}
}

func (c *cluster) stop() error {
	for _, n := range c.nodes {
		if n != nil && n.ended != nil {
			n.kill()
		}
	}
	return nil
}

// logs returns the ends of what the nodes said.
func (c *cluster) logs() string {
	var b strings.Builder
	for _, n := range c.nodes {
		data, _ := os.ReadFile(filepath.Join(n.dir, "log"))
		fmt.Fprintf(&b, "node %d:\n%s\n", n.number, data[max(0, len(data)-2000):])
	}
	return b.String()
}

// ports holds loopback ports for processes that are started later.
type ports struct {
	held []net.Listener
	err  error
}

// address returns a port that nobody listens on; empty when there is none.
func (p *ports) address() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.err = err
		return ""
	}
	p.held = append(p.held, l)
	return l.Addr().String()
}

func (p *ports) release() {
	for _, l := range p.held {
		_ = l.Close()
	}
}
