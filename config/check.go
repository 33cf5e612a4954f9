package config

import (
	"path/filepath"
	"strings"
)

// maxSocket is how long the path of a unix socket may be, in bytes, so that
// every system takes it.
const maxSocket = 104

// check judges the values, and what they are together.
func (c *Config) check() {
	for i := range c.Services {
		c.settle(i)
	}
	c.checkIntake()
	c.checkQueue()
	c.checkAdmin()
	if c.Recordings != nil {
		c.checkRecordings()
	}
	c.checkDefaults()
	c.checkServices()
	c.checkBindings()
	c.checkMappings()
	c.checkSources()
	c.checkOverlap()
	c.checkListeners()
}

func (c *Config) checkIntake() {
	f, at, in := c.file, c.place(Ref{Table: "intake"}), &c.Intake
	f.socket(at, in.Socket)
	f.address(at, "listen", in.Listen)
	between(f, at, "max_event", in.MaxEvent, 1<<10, 4<<20)
	if in.Listen == "" {
		return
	}
	if !loopback(in.Listen) {
		f.report(at, "listen", "listen %q is not a loopback address (127.0.0.1, ::1 or localhost)", in.Listen)
	}
	f.required(at, "token", in.Token, "listen", randomHex)
}

func (c *Config) checkAdmin() {
	f, at, a := c.file, c.place(Ref{Table: "admin"}), &c.Admin
	f.socket(at, a.Socket)
	f.address(at, "listen", a.Listen)
	if a.Listen != "" {
		f.resolve(at, "token", a.Token, randomHex)
	}
	for i, host := range a.Hosts {
		if host == "" || strings.ContainsAny(host, "/: \t") {
			f.report(at, element("hosts", i), "hosts %q is not the name of a host (without scheme and port)", host)
		}
	}
}

// socket reports a path that no unix socket can have.
func (f *file) socket(at place, path string) {
	if f.present(at, "socket", path) && len(path) > maxSocket {
		f.report(at, "socket", "socket %q is %d bytes long (at most %d)", path, len(path), maxSocket)
	}
}

// checkOverlap reports folders and sockets that lie in each other: recordings
// are served, and the queue is nobody else's.
func (c *Config) checkOverlap() {
	queue := place{item: "queue", path: "queue"}
	f := c.file
	if c.Intake.Socket != "" && c.Intake.Socket == c.Admin.Socket {
		f.report(c.place(Ref{Table: "admin"}), "socket", "socket %q is that of intake", c.Admin.Socket)
	}
	c.checkSockets("queue.dir", c.Queue.Dir)
	if !f.present(queue, "dir", c.Queue.Dir) || c.Recordings == nil || c.Recordings.Dir == "" {
		return
	}
	c.checkSockets("recordings.dir", c.Recordings.Dir)
	q, r := real(c.Queue.Dir), real(c.Recordings.Dir)
	if within(q, r) || within(r, q) {
		f.report(c.place(Ref{Table: "recordings"}), "dir", "dir %q overlaps queue.dir %q", c.Recordings.Dir, c.Queue.Dir)
	}
}

// checkSockets reports sockets within a folder.
func (c *Config) checkSockets(key, dir string) {
	for _, s := range []struct{ table, path string }{{"intake", c.Intake.Socket}, {"admin", c.Admin.Socket}} {
		if dir != "" && s.path != "" && within(real(s.path), real(dir)) {
			c.file.report(c.place(Ref{Table: s.table}), "socket", "socket %q lies in %s", s.path, key)
		}
	}
}

// within reports whether path is dir or lies in it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// real follows the symbolic links of as much of a path as exists.
func real(path string) string {
	if followed, err := filepath.EvalSymlinks(path); err == nil {
		return followed
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(real(parent), filepath.Base(path))
	}
	return path
}

// checkListeners reports an address that is given twice.
func (c *Config) checkListeners() {
	listeners := []struct{ table, address string }{
		{"intake", c.Intake.Listen},
		{"queue", c.Queue.Listen},
		{"admin", c.Admin.Listen},
	}
	if c.Recordings != nil {
		listeners = append(listeners, struct{ table, address string }{"recordings", c.Recordings.Listen})
	}
	taken := map[string]string{}
	for _, l := range listeners {
		first, ok := taken[l.address]
		if ok && l.address != "" && !strings.HasSuffix(l.address, ":0") {
			c.file.report(c.place(Ref{Table: l.table}), "listen", "listen %q is that of %s", l.address, first)
		}
		taken[l.address] = l.table
	}
}
