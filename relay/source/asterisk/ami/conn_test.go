package ami

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve plays a manager interface for one connection: it sends the greeting
// and answers each action with what reply makes of it.
func serve(t *testing.T, l net.Listener, greeting string, reply func(action string) string) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := c.Write([]byte(greeting)); err != nil {
			return
		}
		var action strings.Builder
		for lines := bufio.NewScanner(c); lines.Scan(); {
			action.WriteString(lines.Text() + "\n")
			if lines.Text() != "" {
				continue
			}
			if _, err := c.Write([]byte(reply(action.String()))); err != nil {
				return
			}
			action.Reset()
		}
	}()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const (
	hello   = "Asterisk Call Manager/11.0.0\r\n"
	welcome = "Response: Success\r\nMessage: Authentication accepted\r\n\r\n"
)

func TestDial(t *testing.T) {
	l := listen(t)
	var login string
	serve(t, l, hello, func(action string) string {
		if strings.HasPrefix(action, "Action: Login") {
			login = action
			return welcome + "Event: FullyBooted\r\n\r\n"
		}
		return "Response: Success\r\nPing: Pong\r\n\r\n"
	})
	c, err := Dial(t.Context(), Options{Address: l.Addr().String(), User: "relay", Secret: "s3cret", Events: "call,agent"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if m, err := c.Next(); err != nil || m.Event() != "FullyBooted" {
		t.Fatalf("Next = %v, %v, want FullyBooted", m, err)
	}
	if err := c.Send("Ping", Header{"ActionID", "1"}); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Next(); err != nil || m.Get("Ping") != "Pong" {
		t.Fatalf("Next = %v, %v, want Pong", m, err)
	}
	if want := "Action: Login\nUsername: relay\nSecret: s3cret\nEvents: call,agent\n\n"; login != want {
		t.Errorf("login = %q, want %q", login, want)
	}
	if err := c.Send("Ping", Header{"ActionID", "1\r\nAction: Command"}); err == nil {
		t.Error("a line end in a value was sent")
	}
}

func TestDialFails(t *testing.T) {
	for _, test := range []struct {
		name, greeting, answer, want string
		refused                      bool
	}{
		{"wrong secret", hello, "Response: Error\r\nMessage: Authentication failed\r\n\r\n", "Authentication failed", true},
		{"an old Asterisk", "Asterisk Call Manager/1.3\r\n", "", "too old", false},
		{"another service that says little", "SSH-2.0-x\r\n", "", "not a manager interface", false},
		{"another service", "SSH-2.0-OpenSSH_9.2 and more text\r\n", "", "not a manager interface", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			serve(t, l, test.greeting, func(string) string { return test.answer })
			_, err := Dial(t.Context(), Options{Address: l.Addr().String(), User: "relay", Secret: "s3cret"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error = %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error = %v, which shows the secret", err)
			}
			if errors.Is(err, ErrRefused) != test.refused {
				t.Errorf("refused = %v, want %v", !test.refused, test.refused)
			}
		})
	}
}

func TestDialTLS(t *testing.T) {
	pki := httptest.NewTLSServer(nil)
	defer pki.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(pki.Certificate())
	for _, test := range []struct {
		name string
		conf *tls.Config
		ok   bool
	}{
		{"a certificate that is trusted", &tls.Config{RootCAs: trusted, ServerName: "example.com"}, true},
		{"one that is not", &tls.Config{ServerName: "example.com"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := tls.NewListener(listen(t), &tls.Config{Certificates: pki.TLS.Certificates})
			serve(t, l, hello, func(string) string { return welcome })
			c, err := Dial(t.Context(), Options{Address: l.Addr().String(), TLS: test.conf})
			if (err == nil) != test.ok {
				t.Errorf("error = %v, want success %v", err, test.ok)
			}
			if err == nil {
				c.Close()
			}
		})
	}
}

func TestSilenceEndsTheConnection(t *testing.T) {
	l := listen(t)
	serve(t, l, hello, func(string) string { return welcome })
	c, err := Dial(t.Context(), Options{Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	c.idle = 20 * time.Millisecond
	defer c.Close()
	var timeout net.Error
	if _, err := c.Next(); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error = %v, want a timeout", err)
	}
}
