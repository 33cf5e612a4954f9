package strangers

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

const recordingKey = "0123456789012345678901234567890123456789"

// A house is a relay with every listener on, and a receiver that it calls.
type house struct {
	*trial.Relay
	intake, recordings, queue string
	receiver                  *trial.Receiver
}

func newHouse(t *testing.T, services string) house {
	h := house{intake: trial.FreeAddress(t), recordings: trial.FreeAddress(t), queue: trial.FreeAddress(t), receiver: trial.NewReceiver(t)}
	h.Relay = trial.New(t, binary, "")
	h.Configure(fmt.Sprintf("token = %q\n[queue]\ndir = \"queue\"\nlisten = %q\n[recordings]\ndir = \"recordings\"\nurl = \"http://%[3]s/recordings\"\nlisten = %[3]q\nkeys = [{ id = \"k1\", secret = %[4]q }]\n",
		token, h.queue, h.recordings, recordingKey) + services)
	edit(t, h.Path("relay.toml"), "[intake]\n", fmt.Sprintf("[intake]\nlisten = %q\ntoken = %q\n", h.intake, token))
	if err := os.MkdirAll(h.Path("recordings/2026"), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

// raw sends bytes to a listener and returns what comes until it ends.
func raw(t *testing.T, network, address, text string) string {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it was only read
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, text)
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	answer, _ := io.ReadAll(c)
	return string(answer)
}

// try makes attempts, counts those that got through, and records the row.
func try(t *testing.T, surface, what string, attempts []string, through func(attempt string) bool) {
	t.Helper()
	n := 0
	for _, attempt := range attempts {
		if through(attempt) {
			n++
			t.Errorf("%s: got through: %.200q", surface, attempt)
		}
	}
	record(surface, fmt.Sprintf("%d: %s", len(attempts), what), strconv.Itoa(n))
}

// TestLinesThatAreNoEvents sends what is no event to the socket.
func TestLinesThatAreNoEvents(t *testing.T) {
	h := newHouse(t, "")
	h.Start()
	var lines []string
	for _, members := range []string{
		"\"a\":\"\x00\"", "\"a\":\"\xff\"", "\"a\":\"\xc0\xaf\"", "\"a\":\"\xed\xa0\x80\"", `"a":` + strings.Repeat("[", 33) + strings.Repeat("]", 33),
		`"a":` + strings.Repeat("[", 100_000), `"event":"dequeue"`, `"\u0065vent":"dequeue"`, `"a":{"b":1,"b":2}`, `"id":"a\nb"`, `"id":"` + strings.Repeat("a", 129) + `"`,
		`"id":"\u009b"`, `"id":["a"]`, `"attempt":5`, `"recording":"/etc/passwd"`, `"recording":"../x"`, `"recording":"a/../../x"`,
		`"recording":"a\u0000b"`, `"recording":"a\nb"`, `"recording":"1.wav","recording_start":-1`, `"recording":"1.wav","recording_start":"NaN"`,
		`"recording":"1.wav","recording_start":"Inf"`, `"recording":"1.wav","recording_start":5,"recording_end":4`, `"queue":"a","ivr":"b"`,
		`"segments":[` + strings.Repeat("{},", 256) + `{}]`, `"segments":"x"`, `"segments":[{"segments":[]}]`,
		`"a":"` + strings.Repeat("x", 300<<10) + `"`, `"a":01`, `"a":+1`, `"a":.5`, `"a":NaN`, `"a":'x'`, `"a":1,`, `"a"`,
	} {
		lines = append(lines, `{"event":"call_end",`+members+"}\n")
	}
	for _, name := range []string{`"relay_breaker_opened"`, `"a.b"`, `"*"`, `">"`, `"a b"`, `""`, `["a"]`, `1`, `null`, `"` + strings.Repeat("a", 65) + `"`} {
		lines = append(lines, `{"event":`+name+"}\n")
	}
	lines = append(lines, "[]\n", "\"x\"\n", "1\n", "null\n", "{}\n", "{\"event\":\"call_end\"} x\n", "{\"event\":\"call_end\"\n", "\xef\xbb\xbf{\"event\":\"call_end\"}\n", "event=call_end\n")
	const post = "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	const body = "Content-Length: 20\r\n\r\n{\"event\":\"call_end\"}"
	lines = append(lines,
		post+"Transfer-Encoding: chunked\r\n"+body, post+"Content-Length: 3\r\n"+body, post+"Transfer-Encoding: x\r\n\r\n", post+"Content-Encoding: gzip\r\n"+body,
		"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"+body, "POST /x HTTP/1.1\r\nHost: x\r\n"+body,
		"POST /freeswitch/cdr HTTP/1.1\r\nHost: x\r\n"+body, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	)
	try(t, "intake socket", "lines and requests that are no events", lines, func(line string) bool {
		answer := raw(t, "unix", h.Path("relay.sock"), line)
		return strings.Contains(answer, `"accepted":true`) || strings.Contains(answer, " 202 ")
	})
	var requests []string
	for _, authorization := range []string{
		"", "Authorization: Bearer guess", "Authorization: Bearer", "Authorization: " + token, "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+token)),
		"Authorization: Bearer guess\r\nAuthorization: Bearer " + token, "Cookie: token=" + token, "X-Token: " + token, "Authorization: Bearer " + token[1:], "Authorization: Bearer " + token + "x",
		"Authorization: Bearer " + strings.ToUpper(token), "Proxy-Authorization: Bearer " + token,
	} {
		for _, path := range []string{"/v1/events", "/v1/events?token=" + token, "/freeswitch/cdr"} {
			requests = append(requests, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+authorization+strings.Repeat("\r\n", min(len(authorization), 1))+body)
		}
	}
	try(t, "`intake.listen`", "requests without the token, or with it in the wrong place", requests, func(request string) bool {
		return strings.HasPrefix(raw(t, "tcp", h.intake, request), "HTTP/1.1 2")
	})
}

// TestThePageWithoutTheToken looks and changes as who does not know the token.
func TestThePageWithoutTheToken(t *testing.T) {
	h := newHouse(t, "[[service]]\nname = \"crm\"\nurl = \"http://127.0.0.1:9/\"\njson = '{}'\n")
	h.Start()
	var hosts, changes []string
	for _, host := range []string{
		"evil.example", "127.0.0.1.evil.example", "localhost.evil", "127.1", "2130706433", "0.0.0.0", "", "evil@127.0.0.1", "127.0.0.1, evil", "localhost#.evil", "0x7f.1",
		"relay", "metadata", "localhost evil", "localhost.localdomain",
	} {
		for _, path := range []string{"/", "/metrics", "/healthz", "/recordings/verify", "/live"} {
			hosts = append(hosts, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		}
	}
	hosts = append(hosts, "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	try(t, "page", "other host names", hosts, func(request string) bool {
		return strings.HasPrefix(raw(t, "tcp", h.Admin, request), "HTTP/1.1 2")
	})
	for _, head := range []string{
		"", "Authorization: Bearer guess", "Cookie: relay_session=" + token, "Cookie: relay_session=", "Cookie: relay_session=9999999999.x", "Cookie: token=" + token,
		"Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "X-Forwarded-For: 127.0.0.1", "X-Token: " + token,
	} {
		for _, request := range []string{
			"POST /services/crm/pause", "POST /services/crm/drop", "POST /reload", "POST /dead/drop", "GET /services/crm/pause", "GET /config", "GET /dead",
			"GET /dead?token=" + token, "POST /page/../reload", "DELETE /services/crm", "GET /debug/pprof/",
		} {
			changes = append(changes, request+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+head+strings.Repeat("\r\n", min(len(head), 1))+"\r\n")
		}
	}
	try(t, "page without the token", "looks behind it, and changes", changes, func(request string) bool {
		return strings.HasPrefix(raw(t, "tcp", h.Admin, request), "HTTP/1.1 2")
	})
	if got := h.Metric(`relay_service_state{state="active",service="crm"}`); got != "1" {
		t.Errorf("the service is active %s, want 1", got)
	}
}

// sign is the query of a link as the relay makes it.
func sign(path, expires, kid, slice string) string {
	sum := hmac.New(sha256.New, []byte(recordingKey))
	_, _ = io.WriteString(sum, strings.Join([]string{"v1", kid, expires, path, slice}, "\n"))
	return "?exp=" + expires + "&kid=" + kid + "&sig=" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// TestLinksThatAreNotOurs asks for recordings by links that the relay never made.
func TestLinksThatAreNotOurs(t *testing.T) {
	h := newHouse(t, "")
	for name, content := range map[string]string{"recordings/1.wav": string(trial.Wave(8000)), "outside.wav": "outside"} {
		if err := os.WriteFile(h.Path(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(h.Path("outside.wav"), h.Path("recordings/out.wav")); err != nil {
		t.Fatal(err)
	}
	h.Start()
	opens := func(target string) bool {
		method, path, ok := strings.Cut(target, " ")
		if !ok {
			method, path = "GET", target
		}
		answer := raw(t, "tcp", h.recordings, method+" /recordings/"+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		return strings.HasPrefix(answer, "HTTP/1.1 2")
	}
	future := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	good := sign("1.wav", future, "k1", "")
	if !opens("1.wav" + good) {
		t.Fatal("a link of the relay's own does not open")
	}
	var links []string
	for _, path := range []string{
		"../relay.toml", "../outside.wav", "..%2foutside.wav", "%2e%2e/outside.wav", "....//outside.wav", "..;/outside.wav", "..\\outside.wav", "..%5coutside.wav", "..%c0%afoutside.wav",
		"%00../outside.wav", "/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "out.wav", "2026", "2026/", "", ".", "x/../../outside.wav", "1.wav/", "1.wav%00",
	} {
		links = append(links, path+good, path+sign(path, future, "k1", ""), path)
	}
	for _, query := range []string{
		"", "?exp=" + future + "&kid=k1", strings.Replace(good, "k1", "k2", 1), strings.Replace(good, "k1", "", 1), good + "&exp=" + future, good + "&x=1", good + "&start=0", good + "&end=1",
		strings.Replace(good, "exp=", "exp=0", 1), strings.Replace(good, "exp=", "exp=%2B", 1), strings.Replace(good, "exp=", "EXP=", 1), good[:len(good)-1], good + "=", strings.ReplaceAll(good, "&", ";"),
		sign("1.wav", "0", "k1", ""), sign("1.wav", "-1", "k1", ""), sign("1.wav", "1e10", "k1", ""), sign("1.wav", "9999999999999999999999", "k1", ""), sign("1.wav", "", "k1", ""), sign("1.wav", future, "k2", ""),
		sign("2.wav", future, "k1", ""), sign("1.wav", future, "k1", "start=1&end=2") + "&start=1&end=3", sign("1.wav", future, "k1", "start=1&end=2") + "&start=1", sign("1.wav", future, "k1", "start=-1") + "&start=-1",
		sign("1.wav", future, "k1", "start=NaN") + "&start=NaN", sign("1.wav", future, "k1", "start=2&end=1") + "&start=2&end=1",
	} {
		links = append(links, "1.wav"+query)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "CONNECT", "get"} {
		links = append(links, method+" 1.wav"+good)
	}
	try(t, "recording links", "traversal, encodings, parameters, slices, methods", links, opens)
}

// TestStrangersAtTheQueue comes to the queue's listener without its users, and as
// the one that may only look.
func TestStrangersAtTheQueue(t *testing.T) {
	h := newHouse(t, "[[service]]\nname = \"crm\"\nurl = \"http://127.0.0.1:9/\"\njson = '{}'\nactive = false\n[[binding]]\nevent = \"call_end\"\nservice = \"crm\"\n[[service]]\nname = \"other\"\nurl = \"http://127.0.0.1:9/\"\njson = '{}'\n")
	h.Start()
	edit(t, h.Path("relay.toml"), "active = false\n", "")
	h.Hangup()
	h.Run("pause", "crm")
	h.Accept(trial.Numbered("e", "call_end", 10)...)
	connects := []string{
		`{}`, `{"user":"inspect"}`, `{"user":"inspect","pass":""}`, `{"user":"inspect","pass":"guess"}`, `{"user":"admin","pass":"guess"}`, `{"user":"relay","pass":"relay"}`,
		`{"user":"","pass":""}`, `{"user":"$SYS","pass":""}`, `{"auth_token":"` + token + `"}`, `{"jwt":"x","sig":"x"}`, `{"nkey":"x"}`, `{"user":"$G","pass":"x","account":"$G"}`,
	}
	try(t, "`queue.listen`, strangers", "ways in", connects, func(connect string) bool {
		return strings.Contains(raw(t, "tcp", h.queue, "CONNECT "+connect+"\r\nPING\r\n"), "PONG")
	})
	var who struct{ User, Password, Inbox string }
	text, err := os.ReadFile(h.Path("queue/nats/inspect.json"))
	if err == nil {
		err = json.Unmarshal(text, &who)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(raw(t, "tcp", h.queue, fmt.Sprintf("CONNECT {\"user\":%q,\"pass\":%q}\r\nPING\r\n", who.User, who.Password)), "PONG") {
		t.Fatal("inspect does not get in with its own password")
	}
	var requests []string
	for _, stream := range []string{"EVENTS", "RETRY", "DEAD", "ATTEMPTS", "DEBUG"} {
		direct := "PUB $JS.API.DIRECT.GET." + stream + " "
		for _, verb := range []string{"PURGE", "DELETE", "UPDATE", "MSG.DELETE", "SNAPSHOT"} {
			requests = append(requests, "PUB $JS.API.STREAM."+verb+"."+stream+" 2\r\n{}\r\n")
		}
		for _, reply := range []string{"$JS.API.STREAM.PURGE." + stream, "$JS.API.STREAM.DELETE." + stream, "events.other.call_end", "retry.other", "dead.other.rejected"} {
			requests = append(requests, direct+reply+" 9\r\n{\"seq\":1}\r\n", direct+reply+" 15\r\n{\"seq\":99999999}\r\n", "PUB $JS.API.STREAM.MSG.GET."+stream+" "+reply+" 9\r\n{\"seq\":1}\r\n")
		}
	}
	for _, subject := range []string{"events.other.call_end", "events.crm.call_end", "retry.crm", "dead.crm.rejected", "attempts.crm.dead", "debug.crm", "$JS.API.CONSUMER.DELETE.EVENTS.crm", "$JS.ACK.x", "$SYS.REQ.SERVER.PING"} {
		requests = append(requests, "PUB "+subject+" 2\r\n{}\r\n")
	}
	before := h.Metric(`relay_pending{service="crm"}`)
	try(t, "`queue.listen`, `inspect`", "publishes, and requests whose answer would purge, delete or deliver", requests, func(request string) bool {
		raw(t, "tcp", h.queue, fmt.Sprintf("CONNECT {\"verbose\":false,\"user\":%q,\"pass\":%q}\r\n%sPING\r\n", who.User, who.Password, request))
		return h.Metric(`relay_pending{service="crm"}`) != before || h.Metric(`relay_pending{service="other"}`) != "0"
	})
	if before != "10" {
		t.Errorf("%s were owed, want 10", before)
	}
}

// TestAddressesOfEndpoints has services at addresses that are never called: those
// of this machine reach a receiver, and are asked of a proxy, if anything does.
func TestAddressesOfEndpoints(t *testing.T) {
	reached := make(chan string, 1000)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.URL.String() }))
	defer receiver.Close()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(receiver.URL, "http://"))
	always := []string{
		"169.254.169.254", "[::ffff:169.254.169.254]", "[::169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[2001:0:a9fe:a9fe::1]", "[fd00:ec2::254]", "169.254.170.2", "100.100.100.200",
		"168.63.129.16", "192.0.0.192", "192.0.0.170", "[64:ff9b::192.0.0.170]", "[fd20:ce::254]", "169.254.42.42", "[fd00:42::42]", "[fd00:a9fe:a9fe::1]", "１６９.254.169.254", "169。254。169。254", "①⑥⑨.254.169.②⑤④",
	}
	names := []string{"metadata", "metadata.google.internal", "METADATA.google.internal.", "0xa9fea9fe", "2852039166", "ｍｅtadata.google.internal", "metadata。google。internal"}
	private := []string{
		"127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "0.0.0.0", "[::]", "0", "localhost", "LOCALHOST.", "10.0.0.1", "192.168.1.1", "169.254.1.1", "[fe80::1]", "[fc00::1]", "100.64.1.1",
		"[64:ff9b::7f00:1]", "１２７.0.0.1", "127。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
	}
	h := newHouse(t, "")
	var services strings.Builder
	var all []string
	add := func(host, more string) {
		name := fmt.Sprintf("s%03d", len(all))
		all = append(all, name)
		services.WriteString(trial.Service(name, "http://"+host+"/"+name, more))
	}
	for _, through := range []string{"", fmt.Sprintf("proxy = %q\n", receiver.URL)} {
		for _, host := range always {
			add(host, through)
		}
		for _, host := range private {
			add(host+":"+port, through+"allow_private = false\n")
		}
		for _, own := range []string{h.Admin, h.intake, h.recordings, h.queue} {
			_, port, _ := net.SplitHostPort(own)
			for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "[::127.0.0.1]"} {
				add(host+":"+port, through)
			}
		}
	}
	for _, host := range names {
		add(host, fmt.Sprintf("proxy = %q\n", receiver.URL))
	}
	edit(t, h.Path("relay.toml"), "[recordings]\n", services.String()+"[recordings]\n")
	h.Start()
	h.Accept(`{"event":"agent_termination"}`)
	h.Until("each was tried", func() bool { return attempts(h, "") >= len(all) })
	if unresolved, blocked := attempts(h, "connect"), attempts(h, "blocked"); unresolved+blocked < len(all) || unresolved > 6 {
		t.Errorf("%d are blocked, and %d mean nothing, of %d", blocked, unresolved, len(all))
	}
	var called []string
	for range len(reached) {
		called = append(called, <-reached)
	}
	try(t, "addresses of endpoints", "private, metadata and the relay's own, in other forms and letters, direct and through a proxy", all, func(name string) bool {
		return slices.ContainsFunc(called, func(what string) bool { return strings.HasSuffix(what, "/"+name) })
	})
}

// attempts counts those of a class, or of all.
func attempts(h house, class string) int {
	total := 0
	for line := range strings.Lines(h.Page("/metrics")) {
		if strings.HasPrefix(line, "relay_attempts_total{") && strings.Contains(line, `"`+class) {
			n, _ := strconv.Atoi(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
			total += n
		}
	}
	return total
}

// TestTextFromOutside has hostile text on its way to a terminal.
func TestTextFromOutside(t *testing.T) {
	const hostile = "\u009b31m\u009d0;owned\u007f\u202egpj.exe\u2066\u200f"
	h := newHouse(t, "")
	h.receiver.Answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Said", hostile)
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, hostile+"\x1b[31m")
	})
	h.Configure(fmt.Sprintf("[[service]]\nname = \"crm\"\nurl = %q\njson = '{ \"a\": \"#agent_notes#\" }'\ndebug = true\n[[binding]]\nevent = \"call_end\"\nservice = \"crm\"\n", h.receiver.URL))
	h.Start()
	event, _ := json.Marshal(map[string]string{"event": "call_end", "uii": hostile, "agent_notes": hostile, "queue": hostile})
	if err := os.WriteFile(h.Path("event.json"), event, 0o600); err != nil {
		t.Fatal(err)
	}
	h.Run("send", h.Path("event.json"))
	h.Until("it is a dead letter", func() bool { return h.Metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "1" })
	outputs := []string{"status", "status --json", "dead list", "dead list --json", "dead show 1", "dead show 1 --json", "debug crm", "doctor", "test crm", "render crm -e " + h.Path("event.json"), "check"}
	try(t, "terminal and log", "commands that show control characters, C1, DEL and bidirectional marks of an event and an answer; and the log", append(outputs, "log"), func(command string) bool {
		out := h.Log()
		if command != "log" {
			out, _ = h.Run(strings.Fields(command)...)
		}
		return strings.ContainsFunc(out, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || slices.Contains([]rune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"), r)
		})
	})
}

// TestValuesInTemplates has hostile values in every place of a request.
func TestValuesInTemplates(t *testing.T) {
	values := []string{`"`, `","x":"`, `\`, `\"`, "a\nb", "a\r\nX-Evil: 1", "\u2028", "</t><x/>", "]]><x/>", "<!--", "&x;", `" x="`, "a&x=1", "a=1", "a#b", "a/b", "..", ".", "../..", "%2e%2e", "%00", "\x00", "a?b", "a b", "+", "{{.}}", "#ani#", "日本", "🙂", "'", "`", "\x1b[31m"}
	h := newHouse(t, "")
	wrong := make(chan string, 1000)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if what := misshapen(r); what != "" {
			wrong <- what
		}
	}))
	defer receiver.Close()
	var services strings.Builder
	for name, keys := range map[string]string{
		"json": `json = '{"v":"#agent_notes#","k":"a#agent_notes#b"}'`, "form": `params = { a = "#agent_notes#", b = "x#agent_notes#y" }`,
		"query": "query = { a = \"#agent_notes#\", b = \"1\" }", "header": `headers = { X-A = "#agent_notes#" }`, "path": "", "xml": `xml = '<r a="#agent_notes#"><t>#agent_notes#</t><c><![CDATA[#agent_notes#]]></c></r>'`,
	} {
		path := "/" + name
		if name == "path" {
			path += "/#agent_notes#/end"
		}
		fmt.Fprintf(&services, "[[service]]\nname = %q\nurl = %q\n%s\n[[binding]]\nevent = \"call_end\"\nservice = %q\n", name, receiver.URL+path, keys, name)
	}
	h.Configure(services.String())
	h.Start()
	for n, value := range values {
		event, _ := json.Marshal(map[string]string{"event": "call_end", "id": fmt.Sprint("v", n), "agent_notes": value})
		h.Accept(string(event))
	}
	h.Until("all went out, or are dead letters", func() bool {
		for _, name := range []string{"json", "form", "query", "header", "path", "xml"} {
			if h.Metric(fmt.Sprintf("relay_pending{service=%q}", name)) != "0" {
				return false
			}
		}
		return true
	})
	record("templates", fmt.Sprintf("%d: hostile values in JSON, form, XML, path, query and header", 6*len(values)), strconv.Itoa(len(wrong)))
	for range len(wrong) {
		t.Error(<-wrong)
	}
}

// misshapen says what is wrong with the shape of a request of TestValuesInTemplates.
func misshapen(r *http.Request) string {
	if r.Header.Get("X-Evil") != "" {
		return "a header was injected"
	}
	body, _ := io.ReadAll(r.Body)
	switch name := strings.Split(r.URL.Path, "/")[1]; name {
	case "json":
		var members map[string]string
		if err := json.Unmarshal(body, &members); err != nil || len(members) != 2 {
			return fmt.Sprintf("%v: %q", err, body)
		}
	case "form", "query":
		text := string(body)
		if name == "query" {
			text = r.URL.RawQuery
		}
		if fields, err := url.ParseQuery(text); err != nil || len(fields) != 2 || len(fields["a"]) != 1 {
			return fmt.Sprintf("%v: %q", err, text)
		}
	case "path":
		if parts := strings.Split(r.URL.EscapedPath(), "/"); len(parts) != 4 || parts[3] != "end" {
			return r.URL.EscapedPath()
		}
	case "xml":
		elements, tokens := 0, xml.NewDecoder(bytes.NewReader(body))
		for {
			token, err := tokens.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if _, ok := token.(xml.StartElement); ok {
				elements++
			}
			if err != nil || elements > 3 {
				return fmt.Sprintf("%v: %s", err, body)
			}
		}
	}
	return ""
}

// TestASocketOfAnotherStays ends a relay whose socket's path was taken meanwhile.
func TestASocketOfAnotherStays(t *testing.T) {
	h := newHouse(t, "")
	h.Start()
	try(t, "intake socket", "another process's socket at its path when the relay ends", []string{"relay.sock"}, func(name string) bool {
		if err := os.Remove(h.Path(name)); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", h.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // the trial is over
		h.Stop()
		_, err = os.Stat(h.Path(name))
		return err != nil
	})
}

// TestWrongPasswordsAtTheQueue counts what they write to the log.
func TestWrongPasswordsAtTheQueue(t *testing.T) {
	h := newHouse(t, "")
	h.Start()
	for n := range 200 {
		c, err := net.Dial("tcp", h.queue)
		if err != nil {
			continue
		}
		_, _ = fmt.Fprintf(c, "CONNECT {\"user\":\"inspect\",\"pass\":\"guess-%d\"}\r\nPING\r\n", n)
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = bufio.NewReader(c).ReadString('E')
		_ = c.Close()
	}
	lines := strings.Count(h.Log(), "\n")
	record("`queue.listen`, wrong passwords", "200 by one client", fmt.Sprintf("%d lines in the log", lines))
	if lines > 50 {
		t.Errorf("%d lines in the log", lines)
	}
}
