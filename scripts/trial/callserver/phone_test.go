package callserver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// asterisk is where the call server speaks SIP.
const asterisk = "127.0.0.1:5060"

// phone is a SIP telephone without sound, or a trunk: it answers as it is told
// to, and calls.
type phone struct {
	name string
	conn net.PacketConn

	mu     sync.Mutex
	answer answer
	lines  map[string]*line // by Call-ID
}

// answer is what a phone does when it is called.
type answer struct {
	status  int           // of the answer: 200, 486, 603; 302 with a target; 0: it rings for ever
	after   time.Duration // it rings before
	forward string
}

// line is one call of a phone.
type line struct {
	phone            *phone
	id, local, remot string // Call-ID, and both ends with their tags
	target, via      string // of the other end; of the INVITE that is not answered
	cseq             int
	caller           bool
	up, gone         bool
	upCh, goneCh     chan struct{}
	branch           string // of the INVITE
}

// newPhone starts a phone or trunk at a port.
func newPhone(t *testing.T, name string, port int) *phone {
	t.Helper()
	conn, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{name: name, conn: conn, lines: map[string]*line{}, answer: answer{status: 200, after: 200 * time.Millisecond}}
	var serving sync.WaitGroup
	serving.Go(p.serve)
	t.Cleanup(func() { _ = conn.Close(); serving.Wait() })
	return p
}

// does sets what the phone does when it is called.
func (p *phone) does(a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = a
}

// forget lets go of all lines.
func (p *phone) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		l.end()
	}
}

func (p *phone) serve() {
	packet := make([]byte, 65536)
	for {
		n, _, err := p.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		p.take(string(packet[:n]))
	}
}

func (p *phone) send(text string) {
	to, _ := net.ResolveUDPAddr("udp", asterisk)
	_, _ = p.conn.WriteTo([]byte(text), to)
}

// header returns the first header of a name.
func header(m, name string) string {
	for l := range strings.SplitSeq(m, "\r\n") {
		if n, v, ok := strings.Cut(l, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
		if l == "" {
			break
		}
	}
	return ""
}

// uri is what stands between the angle brackets.
func uri(s string) string {
	_, s, _ = strings.Cut(s, "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}

func (p *phone) take(m string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, _, _ := strings.Cut(m, "\r\n")
	l := p.lines[header(m, "Call-ID")]
	if strings.HasPrefix(first, "SIP/2.0 ") {
		if l != nil {
			l.response(m, first[8:11])
		}
		return
	}
	method, _, _ := strings.Cut(first, " ")
	switch {
	case method == "INVITE" && l == nil:
		p.invited(m)
	case method == "INVITE": // a new offer within the call
		p.reply(m, l, "200 OK", sdp(p, "sendrecv"))
	case method == "ACK":
	case method == "CANCEL" && l != nil:
		p.reply(m, l, "200 OK", "")
		if !l.up && !l.gone {
			p.reply(l.via, l, "487 Request Terminated", "")
			l.end()
		}
	case method == "BYE" && l != nil:
		p.reply(m, l, "200 OK", "")
		l.end()
	default:
		p.reply(m, l, "200 OK", "")
		if method == "NOTIFY" && l != nil && strings.Contains(m, "\r\n\r\nSIP/2.0 200") && !l.gone {
			l.request("BYE", "", "") // the other end is passed on
			l.end()
		}
	}
}

// invited answers a call, as the phone does now.
func (p *phone) invited(m string) {
	a := p.answer
	l := p.line(header(m, "Call-ID"))
	l.local, l.remot, l.via = header(m, "To")+";tag="+token(), header(m, "From"), m
	l.target = uri(header(m, "Contact"))
	if a.status == 0 || a.after > 0 {
		p.reply(m, l, "180 Ringing", "")
	}
	if a.status == 0 {
		return
	}
	time.AfterFunc(a.after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case l.gone:
		case a.status == 200:
			p.reply(m, l, "200 OK", sdp(p, "sendrecv"))
			l.rise(m)
		case a.status == 302:
			p.reply(m, l, "302 Moved Temporarily\r\nContact: <sip:"+a.forward+"@127.0.0.1:5060>", "")
			l.end()
		default:
			p.reply(m, l, fmt.Sprintf("%d Refused", a.status), "")
			l.end()
		}
	})
}

func (p *phone) line(id string) *line {
	l := &line{phone: p, id: id, cseq: rand.IntN(1000) + 1, upCh: make(chan struct{}), goneCh: make(chan struct{})}
	p.lines[id] = l
	return l
}

func (p *phone) reply(m string, l *line, status, body string) {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for h := range strings.SplitSeq(m, "\r\n") {
		n, _, _ := strings.Cut(h, ":")
		switch strings.ToLower(n) {
		case "via", "from", "call-id", "cseq", "record-route":
			b.WriteString(h + "\r\n")
		case "to":
			if l != nil && !l.caller && !strings.Contains(h, "tag=") {
				h = "To: " + l.local
			}
			b.WriteString(h + "\r\n")
		}
		if h == "" {
			break
		}
	}
	p.send(b.String() + p.contact() + content(body))
}

func (p *phone) contact() string {
	return fmt.Sprintf("Contact: <sip:%s@%s>\r\n", p.name, p.conn.LocalAddr())
}

func content(body string) string {
	if body == "" {
		return "Content-Length: 0\r\n\r\n"
	}
	return fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func sdp(p *phone, way string) string {
	_, port, _ := net.SplitHostPort(p.conn.LocalAddr().String())
	return "v=0\r\no=- 1 " + token()[:4] + "1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 2" + port + " RTP/AVP 0 101\r\n" +
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=" + way + "\r\n"
}

func token() string { return fmt.Sprintf("%09d", rand.IntN(1_000_000_000)) }

// request writes a request within the call, or the one that begins it.
func (l *line) request(method, more, body string) {
	l.cseq++
	branch, to := token(), l.remot
	switch method {
	case "INVITE":
		l.branch = branch
	case "CANCEL": // as the INVITE was
		branch, to = l.branch, "<"+l.target+">"
	}
	l.phone.send(fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%s%s%s",
		method, l.target, l.phone.conn.LocalAddr(), branch, l.local, to, l.id, l.cseq, method, l.phone.contact(), more, content(body)))
}

// response takes what Asterisk answers.
func (l *line) response(m, status string) {
	_, method, _ := strings.Cut(header(m, "CSeq"), " ")
	if method != "INVITE" || status < "180" {
		return
	}
	if l.remot = header(m, "To"); status < "200" {
		return
	}
	if status == "200" {
		l.target = uri(header(m, "Contact"))
	}
	seq, _, _ := strings.Cut(header(m, "CSeq"), " ")
	branch := token()
	if status > "299" {
		_, branch, _ = strings.Cut(header(m, "Via"), "branch=z9hG4bK")
		branch, _, _ = strings.Cut(branch, ";")
	}
	l.phone.send(fmt.Sprintf("ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s ACK\r\nContent-Length: 0\r\n\r\n",
		l.target, l.phone.conn.LocalAddr(), branch, l.local, l.remot, l.id, seq))
	if status == "200" {
		l.rise(m)
	} else {
		l.end()
	}
}

// rise notes that the call is answered; from now on there is sound.
func (l *line) rise(offer string) {
	if l.up {
		return
	}
	l.up = true
	close(l.upCh)
	if _, media, ok := strings.Cut(offer, "m=audio "); ok {
		port, _, _ := strings.Cut(media, " ")
		go l.sound(port)
	}
}

// sound sends RTP until the line is gone.
func (l *line) sound(port string) {
	conn, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		return
	}
	defer conn.Close()
	packet := make([]byte, 12+160)
	packet[0] = 0x80
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := uint16(1); ; n++ {
		binary.BigEndian.PutUint16(packet[2:], n)
		binary.BigEndian.PutUint32(packet[4:], uint32(n)*160)
		packet[12+n%160]++
		if _, err := conn.Write(packet); err != nil && n > 100 {
			return
		}
		select {
		case <-l.goneCh:
			return
		case <-tick.C:
		}
	}
}

func (l *line) end() {
	if !l.gone {
		l.gone = true
		close(l.goneCh)
	}
}

// call calls an extension.
func (p *phone) call(exten string) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.line(token() + token() + "@trial")
	l.caller = true
	l.target = "sip:" + exten + "@" + asterisk
	l.local, l.remot = fmt.Sprintf("<sip:%s@127.0.0.1>;tag=%s", p.name, token()), "<"+l.target+">"
	l.request("INVITE", "", sdp(p, "sendrecv"))
	return l
}

// now does something to the line.
func (l *line) now(do func()) {
	l.phone.mu.Lock()
	defer l.phone.mu.Unlock()
	if !l.gone {
		do()
	}
}

// bye hangs up; before the answer, it gives up.
func (l *line) bye() {
	l.now(func() {
		if l.up {
			l.request("BYE", "", "")
		} else {
			l.cseq--
			l.request("CANCEL", "", "")
			l.cseq++
		}
		l.end()
	})
}

// refer passes the other end on to an extension.
func (l *line) refer(exten string) {
	l.now(func() {
		l.request("REFER", "Refer-To: <sip:"+exten+"@"+asterisk+">\r\nReferred-By: <sip:"+l.phone.name+"@127.0.0.1>\r\n", "")
	})
}

// join passes the other end on to that of another line of the same phone.
func (l *line) join(other *line) {
	defer func() { go func() { <-l.goneCh; other.bye() }() }()
	l.now(func() {
		tag := func(s string) string { _, t, _ := strings.Cut(s, "tag="); return t }
		l.request("REFER", fmt.Sprintf("Refer-To: <sip:x@%s?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>\r\nReferred-By: <sip:%s@127.0.0.1>\r\n",
			asterisk, strings.ReplaceAll(other.id, "@", "%40"), tag(other.remot), tag(other.local), l.phone.name), "")
	})
}

// offer puts the other end on hold, or takes it back.
func (l *line) offer(way string) {
	l.now(func() { l.request("INVITE", "", sdp(l.phone, way)) })
}

// latest is the line of a phone that is up and was called last.
func (p *phone) latest() *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if l.up && !l.gone && !l.caller {
			return l
		}
	}
	return nil
}
