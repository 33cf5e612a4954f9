package config

import (
	"path/filepath"
	"strings"
)

// checkOverlap reports folders and sockets that lie in each other: recordings
// are served, and the folder of the queue is closed to all others.
func (c checks) checkOverlap() {
	queue, intake, admin := c.place(Ref{Table: "queue"}), c.place(Ref{Table: "intake"}), c.place(Ref{Table: "admin"})
	if c.Intake.Socket != "" && c.Intake.Socket == c.Admin.Socket {
		at, other := c.rules.pick("socket", admin, intake)
		c.rules.report(at, "socket", "socket %q is that of [%s]", c.Admin.Socket, other.item)
	}
	c.checkInside(intake, c.Intake.Socket, queue, c.Queue.Dir)
	c.checkInside(admin, c.Admin.Socket, queue, c.Queue.Dir)
	if c.Recordings == nil {
		return
	}
	recordings := c.place(Ref{Table: "recordings"})
	c.checkInside(intake, c.Intake.Socket, recordings, c.Recordings.Dir)
	c.checkInside(admin, c.Admin.Socket, recordings, c.Recordings.Dir)
	q, r := followed(c.Queue.Dir), followed(c.Recordings.Dir)
	if q == "" || r == "" || !within(q, r) && !within(r, q) {
		return
	}
	at, _ := c.rules.pick("dir", recordings, queue)
	c.rules.report(at, "dir", "queue.dir %q and recordings.dir %q overlap", c.Queue.Dir, c.Recordings.Dir)
}

// checkInside reports a socket that lies in a folder.
func (c checks) checkInside(at place, socket string, owner place, dir string) {
	if socket == "" || dir == "" || !within(followed(socket), followed(dir)) {
		return
	}
	if c.rules.given(at, "socket") {
		c.rules.report(at, "socket", "socket %q lies in %s.dir", socket, owner.item)
		return
	}
	c.rules.report(owner, "dir", "dir %q holds %s.socket", dir, at.item)
}

// pick returns, of two tables that disagree over a key, the one to report at
// and the other: the first, unless only the second gives the key.
func (f rules) pick(key string, first, second place) (at, other place) {
	if !f.given(first, key) && f.given(second, key) {
		return second, first
	}
	return first, second
}

// within reports whether path is dir or lies in it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// followed follows the symbolic links of as much of a path as exists.
func followed(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	if parent := filepath.Dir(path); parent != path && path != "" {
		return filepath.Join(followed(parent), filepath.Base(path))
	}
	return path
}

// checkListeners reports an address that two listeners have.
func (c checks) checkListeners() {
	addresses := []string{c.Intake.Listen, c.Queue.Listen, c.Admin.Listen}
	tables := []string{"intake", "queue", "admin", "recordings"}
	if c.Recordings != nil {
		addresses = append(addresses, c.Recordings.Listen)
	}
	taken := map[string]string{}
	for i, address := range addresses {
		if address == "" || strings.HasSuffix(address, ":0") {
			continue
		}
		first, ok := taken[address]
		if !ok {
			taken[address] = tables[i]
			continue
		}
		at, other := c.rules.pick("listen", c.place(Ref{Table: tables[i]}), c.place(Ref{Table: first}))
		c.rules.report(at, "listen", "listen %q is that of [%s]", address, other.item)
	}
}
