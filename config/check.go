package config

import "strings"

// maxSocket is how long the path of a unix socket may be, in bytes, so that
// every system takes it.
const maxSocket = 104

// check judges the values, and what they are together.
func (c *Config) check() {
	f := rules{c.file}
	checks{c, f}.all()
	serviceChecks{c, f}.all()
	bindingChecks{c, f}.all()
}

// checks judge the tables that a file has once.
type checks struct {
	*Config
	rules
}

func (c checks) all() {
	c.checkIntake()
	c.checkQueue()
	c.checkAdmin()
	if c.Recordings != nil {
		c.checkRecordings()
	}
	c.checkListeners()
}

func (c checks) checkIntake() {
	f, at, in := c.rules, c.place(Ref{Table: "intake"}), &c.Intake
	f.socket(at, in.Socket)
	f.address(at, "listen", in.Listen)
	f.size(at, "max_event", in.MaxEvent, 64, 4<<20)
	if in.Listen == "" {
		return
	}
	if !loopback(in.Listen) {
		f.report(at, "listen", "listen %q is not a loopback address (127.0.0.1, ::1 or localhost)", in.Listen)
	}
	f.required(at, "token", in.Token, "listen")
}

func (c checks) checkAdmin() {
	f, at, a := c.rules, c.place(Ref{Table: "admin"}), &c.Admin
	f.socket(at, a.Socket)
	f.address(at, "listen", a.Listen)
	for i, host := range a.Hosts {
		if host == "" || strings.ContainsAny(host, "/: \t") {
			f.report(at, element("hosts", i), "hosts %q is not the name of a host (without scheme and port)", host)
		}
	}
}

// socket reports a path that no unix socket can have.
func (f rules) socket(at place, path string) {
	if f.present(at, "socket", path) && len(path) > maxSocket {
		f.report(at, "socket", "socket %q is %d bytes long (at most %d)", path, len(path), maxSocket)
	}
}
