package e2e

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

// secretConfig writes a configuration with every kind of secret, whose services
// all fail, and returns their names.
func secretConfig(t *testing.T, v *vault) (toml string, services []string) {
	t.Helper()
	endpoint := httptest.NewServer(repeat())
	t.Cleanup(endpoint.Close)
	tokens := httptest.NewServer(repeatToken(v.plain("access token")))
	t.Cleanup(tokens.Close)

	var b strings.Builder
	fmt.Fprintf(&b, secretHead, trial.FreeAddress(t), v.plain("token of the intake"), trial.FreeAddress(t),
		v.plain("token of the admin listener"), trial.FreeAddress(t), v.plain("key of the recordings"),
		strconv.Quote(v.text("password of the recordings")), brokenManager(t), strconv.Quote(v.text("password of the source")))
	add := func(name, url, more string) {
		services = append(services, name)
		fmt.Fprintf(&b, "[[service]]\nname = %q\nurl = %q\ndebug = true\ntimeout = \"2s\"\nretry_schedule = [\"50ms\"]\n%s\n", name, url, more)
	}

	for kind, auth := range map[string]string{
		"basic":  fmt.Sprintf("basic = { user = \"relay\", password = %q }", v.text("password of basic authentication")),
		"header": fmt.Sprintf("header = { name = \"X-Api-Key\", value = %q }", v.text("value of a header")),
		"bearer": fmt.Sprintf("bearer = %q", v.text("bearer token")),
		"oauth2": fmt.Sprintf("oauth2 = { token_url = %q, client_id = \"relay\", client_secret = %q }", tokens.URL+"/good", v.text("client secret")),
	} {
		for _, spelling := range slices.Sorted(maps.Keys(spellings)) {
			add(kind+"-"+spelling, endpoint.URL+"/"+kind+"/"+spelling, "json = '{}'\nauth."+auth)
		}
	}
	for _, spelling := range slices.Sorted(maps.Keys(spellings)) {
		for _, digest := range []bool{false, true} {
			add(fmt.Sprintf("wsse-%s-%v", spelling, digest), fmt.Sprintf("%s/wsse-%v/%s", endpoint.URL, digest, spelling), fmt.Sprintf(
				"type = \"soap\"\nauth.wsse = { user = \"relay\", password = %q, digest = %v }\n[service.soap]\noperation = \"EndCall\"",
				v.text("password of WS-Security"), digest))
		}
	}
	for _, answer := range []string{"refused", "garbage"} {
		add("token-"+answer, endpoint.URL+"/token/raw", fmt.Sprintf(
			"auth.oauth2 = { token_url = %q, client_id = \"relay\", client_secret = %q }", tokens.URL+"/"+answer, v.text("client secret that is refused")))
	}
	add("signed", endpoint.URL+"/signed/raw", fmt.Sprintf("text = \"x\"\nsigning = [%q, %q]", v.signing("signing secret"), v.signing("older signing secret")))
	addUnreachable(t, v, endpoint.URL, add)

	b.WriteString("[[binding]]\nevent = \"agent_termination\"\nservice = [\"" + strings.Join(services, `", "`) + "\"]\n")
	return b.String(), services
}

// addUnreachable adds services that get no usable answer. Their URLs hold
// secrets, as those of chats do.
func addUnreachable(t *testing.T, v *vault, endpoint string, add func(name, url, more string)) {
	t.Helper()
	hidden := func(name string) string { return "/hook?token=" + v.plain(inURL+name) }
	closed := "http://" + trial.FreeAddress(t)
	add("refused", closed+hidden("refused"), "")
	add("tls", strings.Replace(endpoint, "http:", "https:", 1)+hidden("tls"), "")
	add("blocked", endpoint+hidden("blocked"), "allow_private = false")
	add("unknown", "http://nobody.invalid"+hidden("unknown"), "")
	add("certificate", untrusted(t)+hidden("certificate"), "")
	token := strings.ReplaceAll(v.text("bearer token that is garbled"), " ", "") // net/http shows the text up to a space
	add("garbage", garbling(t)+hidden("garbage"), fmt.Sprintf("auth.bearer = %q", token))
	for name, endpoint := range map[string]string{"proxy-plain": endpoint + "/proxy/raw", "proxy-connect": "https://crm.example.com/"} {
		password := v.text("password of the service " + name)
		proxy, _ := url.Parse(refusingProxy(t))
		proxy.User = url.UserPassword("relay", password)
		add(name, endpoint, "proxy = "+strconv.Quote(proxy.String()))
	}
	proxy, _ := url.Parse(closed)
	proxy.User = url.UserPassword("relay", v.text("password of a proxy that is away"))
	add("proxy-away", endpoint+"/", "proxy = "+strconv.Quote(proxy.String()))
}

const secretHead = `
[intake]
socket = "relay.sock"
listen = %q
token  = %q
[queue]
dir    = "queue"
listen = %q
[admin]
socket = "admin.sock"
listen = "ADMIN"
token  = %q
[recordings]
dir    = "recordings"
url    = "http://127.0.0.1/recordings"
listen = %q
keys   = [{ id = "k1", secret = %q }]
users  = [{ name = "crm", password = %s }]
[[source]]
name     = "pbx1"
type     = "asterisk"
address  = %q
user     = "relay"
password = %s
`

// untrusted is an endpoint whose certificate nobody has signed.
func untrusted(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// garbling is an endpoint that answers with what it got, where a status belongs.
func garbling(t *testing.T) string {
	t.Helper()
	return "http://" + listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		var said string
		for {
			line, err := in.ReadString('\n')
			if err != nil || line == "\r\n" {
				break
			}
			if name, value, _ := strings.Cut(strings.TrimSpace(line), ": "); name == "Authorization" {
				said = value
			}
		}
		_, _ = fmt.Fprintf(c, "%s\r\n\r\n", said)
	})
}

// refusingProxy answers every request with 407 and what it was given to get by.
func refusingProxy(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
		_, _ = fmt.Fprint(w, said(q, nil))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// brokenManager is a call server that refuses a login and repeats it.
func brokenManager(t *testing.T) string {
	t.Helper()
	return listen(t, func(c net.Conn) {
		_, _ = fmt.Fprint(c, "Asterisk Call Manager/9.0.0\r\n")
		in := bufio.NewReader(c)
		secret, id := "", ""
		for {
			line, err := in.ReadString('\n')
			if err != nil || line == "\r\n" {
				break
			}
			switch name, value, _ := strings.Cut(strings.TrimSpace(line), ": "); name {
			case "Secret":
				secret = value
			case "ActionID":
				id = value
			}
		}
		_, _ = fmt.Fprintf(c, "Response: Error\r\nActionID: %s\r\nMessage: not %s\r\n\r\n", id, secret)
	})
}

// listen serves connections one after the other and returns the address.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}
