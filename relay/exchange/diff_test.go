package exchange

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func pick(r *rand.Rand, of ...string) string { return of[r.Intn(len(of))] }

// randomAnswer makes an answer of pieces that endpoints send, whole and broken.
func randomAnswer(r *rand.Rand) (text string, closes bool) {
	var b strings.Builder
	nl := "\r\n"
	if r.Intn(20) == 0 {
		nl = "\n"
	}
	for range r.Intn(9) * r.Intn(2) {
		b.WriteString("HTTP/1.1 " + pick(r, "100 Continue", "102 Processing", "103 Early Hints", "100") + nl)
		b.WriteString(pick(r, "", "Link: </a>; rel=preload"+nl) + nl)
	}
	b.WriteString(pick(r, "HTTP/1.1 ", "HTTP/1.1 ", "HTTP/1.1 ", "HTTP/1.0 ", "HTTP/1.1  ", "HTTP/1.9 ", "http/1.1 ") +
		pick(r, "200 OK", "200 OK", "200", "200 ", "201 Created", "204 No Content", "304 Not Modified", "500 Oops", "404 Nope", "600 X", "2000 X", "20x X") + nl)
	body := strings.Repeat("x", []int{0, 1, 2, 10, 4000, 4096, 5000, 70000}[r.Intn(8)])
	for range r.Intn(4) {
		b.WriteString(pick(r, "Server: x", "X-A: 1", "X-Empty:", "X-Sp : 1", "Keep-Alive: timeout=5", "Connection: keep-alive", "Connection: close", "connection: Close",
			"Connection: upgrade, close", "Content-Encoding: gzip", "Retry-After: 5", "X-F: a"+nl+" folded", "X-T:\tv\t", "X-High: \xe9\xff", "Date: now", "Set-Cookie: a=b",
			"X-Long: "+strings.Repeat("y", 3000), "Upgrade: h2c", "Transfer-Encoding:", "X_Under: 1", "no colon", " leading") + nl)
	}
	switch r.Intn(9) {
	case 0, 1, 2, 3:
		fmt.Fprintf(&b, "%s:%s%d%s%s", pick(r, "Content-Length", "content-length"), pick(r, "", " ", "\t"), len(body), nl+nl, body)
	case 4, 5:
		b.WriteString(pick(r, "Transfer-Encoding: chunked", "transfer-encoding: Chunked", "Transfer-Encoding: gzip, chunked") + nl + pick(r, "", "Content-Length: 3"+nl) + nl)
		for rest := body; rest != ""; {
			n := min(1+r.Intn(3000), len(rest))
			fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, pick(r, "", ";a=b", " "), rest[:n])
			rest = rest[n:]
		}
		b.WriteString(pick(r, "0\r\n\r\n", "0\r\nX-T: 1\r\n\r\n", "0\n\n", "0;x\r\n\r\n"))
	case 6:
		b.WriteString(nl + body)
		closes = true
	case 7: // a wrong length
		fmt.Fprintf(&b, "Content-Length: %s%s%s", pick(r, "0", fmt.Sprint(len(body)+1), fmt.Sprint(max(len(body)-1, 0)), "-1", "+2", "0x2", "2,2", "9999999999999999999", ""), nl+nl, body)
		closes = true
	default:
		fmt.Fprintf(&b, "Content-Length: %d%sContent-Length: %d%s%s", len(body), nl, len(body)+r.Intn(2), nl+nl, body)
	}
	return b.String() + pick(r, "", "", "", "", "", "\r\n", "junk"), closes
}

// randomAttempt makes a request.
func randomAttempt(r *rand.Rand, at string) *Attempt {
	u, err := url.Parse("http://" + at + pick(r, "/one", "/one?", "/one/%2F/a%20b?q=%5B1%5D&x", "/one/%C3%BC", "/one//a///"))
	if err != nil {
		panic(err)
	}
	a := &Attempt{
		Method: pick(r, "POST", "PUT", "PATCH", "DELETE", "GET"), URL: u,
		Header: Headers{{"User-Agent", "relay"}, {"Accept", "*/*"}, {"X-Name", pick(r, "a", "J\u00fcrgen", "", "a\tb", "  sp  ")}},
		Body:   []byte(strings.Repeat("y", []int{0, 1, 1000, oneWrite, oneWrite + 1}[r.Intn(5)])),
	}
	if a.Method == "GET" || a.Method == "DELETE" {
		a.Body = nil
	}
	a.Host = pick(r, "", "", "crm.example.com:8080")
	return a
}

// answering is an endpoint that answers the first request with a text in several
// cuts, any further one plainly, and notes the requests.
func answering(t testing.TB, text string, cuts []int, closes bool) (at string, asked chan string) {
	asked = make(chan string, 10)
	addr := script(t, func(_ int64, c net.Conn) {
		for r := bufio.NewReader(c); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(req.Body)
			fields := headersOf(req.Header)
			asked <- fmt.Sprintf("%s %s %s %d %d %v", req.Method, req.RequestURI, req.Host, req.ContentLength, len(body), fields)
			if !strings.HasPrefix(req.URL.Path, "/one") {
				_, _ = io.WriteString(c, plain)
				continue
			}
			rest := text
			for _, n := range cuts {
				n = min(n, len(rest))
				_, _ = io.WriteString(c, rest[:n])
				rest = rest[n:]
				<-time.After(100 * time.Microsecond)
			}
			_, _ = io.WriteString(c, rest)
			if closes {
				return
			}
		}
	})
	return addr.String(), asked
}

// diff holds the exchange against net/http's: what an endpoint is asked, what
// its answer says, and that the next exchange gets the next answer. A difference
// counts if there is one with much time, too: on a busy machine either may run
// into its deadline.
func diff(t testing.TB, seed int64) {
	if difference(t, seed, time.Second/2) == "" {
		return
	}
	if d := difference(t, seed, 20*time.Second); d != "" {
		t.Errorf("seed %d: %s", seed, d)
	}
}

// difference says in what the two differ when each exchange may take so long.
func difference(t testing.TB, seed int64, patience time.Duration) string {
	r := rand.New(rand.NewSource(seed))
	text, closes := randomAnswer(r)
	cuts := []int{1 + r.Intn(20), 1 + r.Intn(200), 1 + r.Intn(5000)}[:r.Intn(4)]
	run := func(s Sender) (asked, one, two string) {
		at, requests := answering(t, text, cuts, closes)
		first := randomAttempt(rand.New(rand.NewSource(seed)), at)
		first.Deadline = time.Now().Add(patience)
		one = told(s.Send(t.Context(), first))
		second := &Attempt{Method: "POST", URL: &url.URL{Scheme: "http", Host: at, Path: "/two"}, Deadline: time.Now().Add(2 * patience)}
		two = told(s.Send(t.Context(), second))
		CloseIdle(s)
		select {
		case asked = <-requests:
		case <-time.After(patience):
		}
		return strings.ReplaceAll(asked, at, "HOST"), one, two
	}
	s := settings(t, "http://127.0.0.1/", "")
	transport, err := newTransport(s, guard{private: true})
	if err != nil {
		t.Fatal(err)
	}
	asked, one, two := run(direct(t, ""))
	wantAsked, want, _ := run(&HTTPSender{Transport: transport, MaxResponse: s.MaxResponse})
	if asked == wantAsked && one == want && two == "200 2 false " {
		return ""
	}
	return fmt.Sprintf("asked %s, net/http %s; cuts %v: got %s and then %s, net/http %s\n%.300q", asked, wantAsked, cuts, one, two, want, text)
}

// told is what an exchange came to.
func told(reply Reply, err error) string {
	if err != nil {
		return "error"
	}
	return fmt.Sprintf("%d %d %v %s", reply.Status, len(reply.Body), reply.Cut, reply.Header.Get("Retry-After"))
}

func TestTheExchangeIsThatOfNetHTTP(t *testing.T) {
	for seed := range int64(80) {
		diff(t, seed)
	}
}

func FuzzDiff(f *testing.F) {
	for _, seed := range []int64{1000, 2000} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed int64) { diff(t, seed) })
}
