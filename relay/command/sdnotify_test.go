package command

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serviceManager is the socket that a service manager listens on.
type serviceManager struct {
	t      *testing.T
	socket *net.UnixConn
}

func newServiceManager(t *testing.T, watchdog string) *serviceManager {
	t.Helper()
	path := filepath.Join(filepath.Dir(writeConfig(t, "")), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	return &serviceManager{t, socket}
}

// told waits until the relay tells of a state.
func (m *serviceManager) told(state string) {
	m.t.Helper()
	text := make([]byte, 4096)
	_ = m.socket.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := m.socket.Read(text)
		if err != nil {
			m.t.Fatalf("never told %s: %v", state, err)
		}
		if strings.Contains(string(text[:n]), state) {
			return
		}
	}
}

func TestServiceManagerIsTold(t *testing.T) {
	m := newServiceManager(t, "")
	r := startRelay(t, configFor("crm", newEndpoint(t).URL))
	m.told("READY=1")
	if got := command(t, "", "reload", "-c", r.path); got.status != 0 {
		t.Fatalf("reload: %s", got.err)
	}
	m.told("RELOADING=1\nMONOTONIC_USEC=")
	m.told("READY=1")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	m.told("STOPPING=1")
}

func TestWatchdogIsFed(t *testing.T) {
	m := newServiceManager(t, "60000") // microseconds
	startRelay(t, configFor("crm", newEndpoint(t).URL))
	for range 3 {
		m.told("WATCHDOG=1")
	}
}
