package peers

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"callrelay/scripts/trial"
)

// A proxy is nginx before a receiver. It asks clients for a certificate and tells
// the receiver whose it was.
type proxy struct {
	URL string
	dir string
	cmd *exec.Cmd
}

func startNginx(t *testing.T, receiver string, issuer *authority) *proxy {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	address := trial.FreeAddress(t)
	p := &proxy{URL: "https://" + address, dir: t.TempDir()}
	p.use(t, issuer)
	conf := fmt.Sprintf(`
daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen %s ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        ssl_client_certificate ca.pem;
        ssl_verify_client on;
        ssl_protocols TLSv1.3;
        location / {
            proxy_pass %s;
            proxy_set_header X-Client $ssl_client_s_dn;
        }
    }
}
`, address, receiver)
	if err := os.WriteFile(filepath.Join(p.dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(path, "-p", p.dir, "-c", "nginx.conf", "-e", "stderr")
	var log bytes.Buffer
	p.cmd.Stderr = &log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("nginx said:\n%s", log.String())
		}
	})
	return p
}

// use has the certificates of an authority: nginx's own and the clients'.
func (p *proxy) use(t *testing.T, a *authority) {
	t.Helper()
	a.issue("nginx", filepath.Join(p.dir, "server.pem"), filepath.Join(p.dir, "server.key"))
	replace(t, filepath.Join(p.dir, "ca.pem"), a.pem)
}

// reload returns when new connections are answered by another certificate.
func (p *proxy) reload(t *testing.T, r *trial.Relay) {
	t.Helper()
	before := p.serial()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.Until("nginx has its new certificate", func() bool { after := p.serial(); return after != "" && after != before })
}

func (p *proxy) serial() string {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.URL, "https://"), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only looked at
	if err != nil {
		return ""
	}
	defer conn.Close() //nolint:errcheck // only looked at
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestMutualTLS replaces every certificate on both sides while events flow. From
// the moment nginx has the new ones until the relay has, nothing can arrive; all
// of it waits, and none is lost.
func TestMutualTLS(t *testing.T) {
	came := "nothing"
	row(t, "nginx, mutual TLS", "events while every certificate is changed", &came)
	receiver := trial.NewReceiver(t)
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	nginx := startNginx(t, receiver.URL, first)

	files := t.TempDir()
	ca, cert, key := filepath.Join(files, "ca.pem"), filepath.Join(files, "relay.pem"), filepath.Join(files, "relay.key")
	equip := func(a *authority, name string) {
		replace(t, ca, a.pem)
		a.issue(name, cert, key)
	}
	equip(first, "relay-1")
	r := trial.Start(t, binary, trial.Service("crm", nginx.URL, fmt.Sprintf(`
retry_schedule = ["100ms"]
tls = { ca = %q, cert = %q, key = %q, min_version = "1.3" }
breaker = { open = "100ms", max_open = "200ms" }
`, ca, cert, key)))
	arrived := func(client string) int {
		n := 0
		for _, a := range receiver.Arrivals() {
			if a.Header.Get("X-Client") == "CN="+client {
				n++
			}
		}
		return n
	}

	ids := r.Accept(trial.Numbered("before", "agent_termination", 50)...)
	settled(r, "crm")
	if got := arrived("relay-1"); got != 50 {
		t.Errorf("got %d requests with the first certificate, want 50", got)
	}

	nginx.use(t, second)
	nginx.reload(t, r)
	r.Until("the relay refuses nginx's new certificate", func() bool { // once nginx has closed the old connections
		ids = append(ids, r.Accept(trial.Numbered(fmt.Sprintf("meanwhile-%d", len(ids)), "agent_termination", 1)...)...)
		return r.Metric(`relay_attempts_total{class="tls",service="crm"}`) != "0"
	})
	ids = append(ids, r.Accept(trial.Numbered("held", "agent_termination", 50)...)...)
	equip(second, "relay-2")
	settled(r, "crm")

	counts := receiver.Counts()
	for _, id := range ids {
		if counts[id] != 1 {
			t.Errorf("%s arrived %d times, want once", id, counts[id])
		}
	}
	if one, two := arrived("relay-1"), arrived("relay-2"); two < 50 || one+two != len(ids) {
		t.Errorf("got %d requests with the first certificate and %d with the second, want %d, 50 or more with the second", one, two, len(ids))
	}
	if dead := r.Metric(`relay_deliveries_total{outcome="dead",service="crm"}`); dead != "0" {
		t.Errorf("got %s dead letters, want none", dead)
	}
	came = fmt.Sprintf("%d delivered, %d of them with the second certificate; %s attempts failed between them",
		len(ids), arrived("relay-2"), r.Metric(`relay_attempts_total{class="tls",service="crm"}`))
}
