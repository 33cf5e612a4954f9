package queue

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// fakeConn is one client, with which it speaks the protocol of NATS.
type fakeConn struct {
	f    *faulty
	conn net.Conn
	subs map[string]string // subject by number; the lock of f guards it

	mu   sync.Mutex
	out  []byte
	wake chan struct{}
	once sync.Once
	done chan struct{}
}

func (c *fakeConn) close() {
	c.once.Do(func() {
		close(c.done)
		_ = c.conn.Close()
	})
}

func (c *fakeConn) send(data []byte) {
	c.mu.Lock()
	c.out = append(c.out, data...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *fakeConn) write() {
	for {
		select {
		case <-c.done:
			return
		case <-c.wake:
		}
		c.mu.Lock()
		data := c.out
		c.out = nil
		c.mu.Unlock()
		if _, err := c.conn.Write(data); err != nil {
			return
		}
	}
}

func (c *fakeConn) read() {
	r := bufio.NewReader(c.conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		switch strings.ToUpper(fields[0]) {
		case "PING":
			c.send([]byte("PONG\r\n"))
		case "SUB":
			c.f.mu.Lock()
			c.subs[fields[len(fields)-1]] = fields[1]
			c.f.mu.Unlock()
		case "UNSUB":
			c.f.mu.Lock()
			delete(c.subs, fields[1])
			c.f.mu.Unlock()
		case "PUB", "HPUB":
			if c.published(r, fields) != nil {
				return
			}
		}
	}
}

// published reads a message and brings it where it belongs.
func (c *fakeConn) published(r *bufio.Reader, fields []string) error {
	sizes := 1
	if strings.EqualFold(fields[0], "HPUB") {
		sizes = 2
	}
	total, _ := strconv.Atoi(fields[len(fields)-1])
	hdr := 0
	if sizes == 2 {
		hdr, _ = strconv.Atoi(fields[len(fields)-2])
	}
	reply := ""
	if len(fields) == 3+sizes {
		reply = fields[2]
	}
	data := make([]byte, total+2)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if !c.f.down {
		c.f.route(fields[1], reply, data[:hdr], data[hdr:total])
	}
	return nil
}

func (f *faulty) route(subject, reply string, headers, body []byte) {
	switch {
	case strings.HasPrefix(subject, "$JS.API."):
		f.api(subject, reply, body)
	case strings.HasPrefix(subject, "$JS.ACK."):
	default:
		if s := f.streamOf(subject); s != nil {
			f.publish(s, &fakeRecord{subject: subject, headers: headers, body: body}, reply)
			return
		}
		if f.deliver(subject, reply, headers, body) == 0 && reply != "" {
			f.deliver(reply, "", []byte("NATS/1.0 503\r\n\r\n"), nil)
		}
	}
}

// deliver sends a message to who listens for its subject, and returns how many
// do.
func (f *faulty) deliver(subject, reply string, headers, body []byte) int {
	return f.deliverTo(subject, subject, reply, headers, body)
}

// deliverTo sends a message to who listens at one subject under another one, as
// a consumer does.
func (f *faulty) deliverTo(at, subject, reply string, headers, body []byte) int {
	n := 0
	for c := range f.conns {
		for sid, filter := range c.subs {
			if !matches(filter, at) {
				continue
			}
			n++
			if reply != "" {
				reply += " "
			}
			var head string
			if len(headers) > 0 {
				head = fmt.Sprintf("HMSG %s %s %s%d %d\r\n", subject, sid, reply, len(headers), len(headers)+len(body))
			} else {
				head = fmt.Sprintf("MSG %s %s %s%d\r\n", subject, sid, reply, len(body))
			}
			c.send(append(append(append([]byte(head), headers...), body...), '\r', '\n'))
			reply = strings.TrimSuffix(reply, " ")
		}
	}
	return n
}
