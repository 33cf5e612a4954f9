package queue

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/hub"
)

// hubEnv is held while the environment is that of a hub.
var hubEnv sync.Mutex

// hubServer is a hub in this process, of the configuration that is the example.
type hubServer struct {
	t     testing.TB
	opts  *natsserver.Options
	ns    *natsserver.Server
	roots *x509.CertPool
}

func startHub(t testing.TB) *hubServer {
	t.Helper()
	h := &hubServer{t: t}
	dir := t.TempDir()
	h.certify(dir)
	env := map[string]string{
		"HUB_DIR": dir, "HUB_CERT": filepath.Join(dir, "CERTIFICATE"), "HUB_KEY": filepath.Join(dir, "PRIVATE KEY"),
		"HUB_OPERATOR": "of OPERATOR", "HUB_BERLIN": "of BERLIN", "HUB_PARIS": "of PARIS",
	}
	hubEnv.Lock()
	defer hubEnv.Unlock()
	for name, value := range env {
		_ = os.Setenv(name, strconv.Quote(value)) // fails for no name like these
	}
	opts, err := natsserver.ProcessConfigFile("../scripts/examples/hub/nats-server.conf")
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.DontListen = true, true
	opts.LeafNode.Host, opts.LeafNode.Port = "127.0.0.1", natsserver.RANDOM_PORT
	h.opts = opts
	h.start()
	t.Cleanup(h.stop)
	return h
}

// certify makes the certificate of the hub, which is its own authority.
func (h *hubServer) certify(dir string) {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		h.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.roots = x509.NewCertPool()
	h.roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: cert}, {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, block.Type), pem.EncodeToMemory(block), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

// start starts the server, again where it was before.
func (h *hubServer) start() {
	h.t.Helper()
	ns, err := natsserver.NewServer(h.opts.Clone())
	if err != nil {
		h.t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		h.t.Fatal("hub not ready")
	}
	v, err := ns.Varz(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.ns, h.opts.LeafNode.Port = ns, v.LeafNode.Port
}

func (h *hubServer) stop() {
	h.ns.Shutdown()
	h.ns.WaitForShutdown()
}

// edge is how an edge of a name reaches the hub, as the user of that name or of
// another.
func (h *hubServer) edge(name, password string) *engine.HubOptions {
	return &engine.HubOptions{
		URLs: []string{fmt.Sprint("tls://127.0.0.1:", h.opts.LeafNode.Port)}, Credentials: name + ":" + password, Name: name, Version: "test",
		TLS: func() (*tls.Config, error) { return &tls.Config{RootCAs: h.roots, MinVersion: tls.VersionTLS12}, nil },
	}
}

func (h *hubServer) berlin() *engine.HubOptions { return h.edge("berlin", "of BERLIN") }
func (h *hubServer) paris() *engine.HubOptions  { return h.edge("paris", "of PARIS") }

// client connects to the hub as a user of it.
func (h *hubServer) client(user, password string) *nats.Conn {
	h.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(h.ns), nats.UserInfo(user, password), nats.CustomInboxPrefix("relay.answer"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(nc.Close)
	return nc
}

// leaf connects to a leaf node of the hub, as what an edge of bad intent would be.
func (h *hubServer) leaf(user, password string) *nats.Conn {
	h.t.Helper()
	remote := &natsserver.RemoteLeafOpts{
		URLs:      []*url.URL{{Scheme: "tls", Host: fmt.Sprint("127.0.0.1:", h.opts.LeafNode.Port), User: url.UserPassword(user, password)}},
		TLSConfig: &tls.Config{RootCAs: h.roots, MinVersion: tls.VersionTLS12}, TLS: true,
	}
	ns, err := natsserver.NewServer(&natsserver.Options{
		ServerName: user, NoSigs: true, DontListen: true, NoSystemAccount: true,
		LeafNode: natsserver.LeafNodeOpts{ReconnectInterval: time.Second, Remotes: []*natsserver.RemoteLeafOpts{remote}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ns.Start()
	h.t.Cleanup(ns.Shutdown)
	nc, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(nc.Close)
	return nc
}

func (h *hubServer) operator() *hub.Hub {
	h.t.Helper()
	hub, err := OpenHub(testContext(h.t), *h.edge("operator", "of OPERATOR"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(hub.Close)
	return hub
}
