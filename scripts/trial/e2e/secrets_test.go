package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"callrelay/scripts/trial"
)

// A vault makes the secrets of a trial and finds them again wherever they leak.
type vault struct {
	cores map[string]string // the part of a secret that no escaping changes, by its name
}

// text makes a secret with characters that each format writes in its own way.
func (v *vault) text(name string) string { return v.plain(name) + `"&<x>'/+%= \` }

// plain makes a secret of letters and digits.
func (v *vault) plain(name string) string {
	sum := sha256.Sum256([]byte(name))
	core := "S3" + hex.EncodeToString(sum[:])[:30]
	v.cores[name] = core
	return core
}

// signing makes a secret for signatures.
func (v *vault) signing(name string) string {
	sum := sha256.Sum256([]byte(name))
	core := base64.StdEncoding.EncodeToString(sum[:])
	v.cores[name] = core
	return "whsec_" + core
}

// inURL begins the name of a secret that stands in a service's URL. Only "relay
// render" shows those: it prints what would be sent.
const inURL = "token in the URL of the service "

// search reports each secret that a text holds, plain or in base64.
func (v *vault) search(t *testing.T, where, text string) {
	t.Helper()
	for name, core := range v.cores {
		if strings.HasPrefix(name, inURL) && strings.HasPrefix(where, "relay render ") {
			continue
		}
		if at := strings.Index(text, core); at >= 0 {
			t.Errorf("%s shows the %s: …%s…", where, name, text[max(0, at-200):min(len(text), at+100)])
		}
	}
	v.searchBasic(t, where, text)
}

// searchBasic looks into every run of base64: basic authentication is one.
func (v *vault) searchBasic(t *testing.T, where, text string) {
	t.Helper()
	for _, run := range strings.FieldsFunc(text, notBase64) {
		if run = strings.TrimRight(run, "="); len(run) < 22 { // of 16 bytes
			continue
		}
		decoded, err := base64.RawStdEncoding.DecodeString(run[:len(run)-min(len(run), len(run)%4)])
		if err != nil {
			continue
		}
		for name, core := range v.cores {
			if bytes.Contains(decoded, []byte(core)) {
				t.Errorf("%s shows the %s in base64", where, name)
			}
		}
	}
}

func notBase64(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '/' || r > '9') && r != '+' && r != '='
}

// spellings are the ways in which the endpoints of the trial repeat what was
// sent to them.
var spellings = map[string]func(string) string{
	"raw": func(s string) string { return s },
	"json": func(s string) string { // as JavaScript writes it
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	},
	"json-ascii": func(s string) string { // as Go and PHP write it
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", `\u0026`, "<", `\u003c`, ">", `\u003e`, "/", `\/`).Replace(s)
	},
	"xml": func(s string) string {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
	},
	"percent": func(s string) string { return percent(s, "%%%02X") },
	"lower":   func(s string) string { return percent(s, "%%%02x") },
}

func percent(s, format string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if strings.IndexByte(`"&<>'/+%= \`, c) >= 0 {
			fmt.Fprintf(&b, format, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// repeat answers with all that a request said, in the spelling that its path
// names: at first that the credentials are wrong, then that the payload is.
func repeat() http.HandlerFunc {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(w http.ResponseWriter, q *http.Request) {
		_, spelling, _ := strings.Cut(strings.Trim(q.URL.Path, "/"), "/")
		body, _ := io.ReadAll(q.Body)
		mu.Lock()
		again := seen[q.URL.Path]
		seen[q.URL.Path] = true
		mu.Unlock()
		text := spellings[spelling](said(q, body))
		if strings.HasPrefix(q.URL.Path, "/wsse") {
			w.WriteHeader(http.StatusInternalServerError)
			code := map[bool]string{false: "soap:Server", true: "soap:Client"}[again]
			_, _ = fmt.Fprintf(w, `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>%s</faultcode><faultstring><![CDATA[%s]]></faultstring></soap:Fault></soap:Body></soap:Envelope>`, code, text)
			return
		}
		w.Header().Set("X-Seen", strings.NewReplacer("\r", "", "\n", "").Replace(text))
		w.WriteHeader(map[bool]int{false: http.StatusUnauthorized, true: http.StatusUnprocessableEntity}[again])
		_, _ = io.WriteString(w, text)
	}
}

// said is what of a request holds secrets: credentials, as they came and
// decoded, and the password of a body.
func said(q *http.Request, body []byte) string {
	var list []string
	for _, name := range []string{"Authorization", "X-Api-Key", "Proxy-Authorization"} {
		value := q.Header.Get(name)
		list = append(list, value)
		if encoded, ok := strings.CutPrefix(value, "Basic "); ok {
			decoded, _ := base64.StdEncoding.DecodeString(encoded)
			list = append(list, string(decoded))
		}
	}
	_, password, _ := strings.Cut(string(body), "<wsse:Password")
	_, password, _ = strings.Cut(password, ">")
	password, _, _ = strings.Cut(password, "</")
	list = append(list, strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&quot;", `"`, "&#39;", "'", "&apos;", "'", "&amp;", "&").Replace(password))
	return strings.TrimSpace(strings.Join(list, " "))
}

// repeatToken answers token requests with what they said, in all ways that a
// client may read.
func repeatToken(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		secret := strings.Trim(strconv.Quote(said(q, nil)+" "+q.FormValue("client_secret")), `"`)
		w.Header().Set("Content-Type", "application/json")
		switch q.URL.Path {
		case "/refused":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"error":"bad %[1]s","error_description":"%[1]s","error_uri":"%[1]s"}`, secret)
		case "/garbage":
			_, _ = io.WriteString(w, "no JSON but "+secret)
		default:
			_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
		}
	}
}

// TestSecretsNeverShow configures every kind of secret, has everything fail in
// ways that repeat them, and looks for them in all that the relay shows, logs,
// answers and keeps.
func TestSecretsNeverShow(t *testing.T) {
	v := &vault{cores: map[string]string{}}
	toml, services := secretConfig(t, v)
	collector := trial.NewReceiver(t)
	r := trial.New(t, binary, "")
	writeSecret(t, r, toml)
	r.Env = []string{"RELAY_LOG=debug", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}
	r.Start()
	for _, name := range []string{"inspect", "admin"} {
		v.cores["password of the nats user "+name] = natsPassword(t, r, name)
	}

	tail := startTail(t, r)
	r.Accept(`{"event":"agent_termination","uii":"1","agent_id":1401,"recording":""}`)
	r.Until("every service has failed", func() bool { return failed(r) == len(services) })
	r.Until("the source has failed", func() bool { return strings.Contains(r.Log(), "pbx1") })
	v.search(t, "relay tail", tail())

	shown := commands(r, services)
	for where, text := range shown {
		v.search(t, where, text)
	}
	if debug := shown["relay debug basic-raw"]; strings.Count(debug, "***") < 4 {
		t.Errorf("relay debug shows too little to be looked through: %s", debug)
	}
	for where, text := range pages(t, r, v.cores["token of the admin listener"], services) {
		v.search(t, where, text)
	}
	spoiled(t, r, v, toml)
	r.Until("traces are collected", func() bool { return len(collector.Arrivals()) > 0 })
	v.search(t, "a trace", collected(collector))

	_ = syscall.Kill(r.Pid(), syscall.SIGQUIT) // the way a panic ends: with all stacks
	<-r.Ended()
	v.search(t, "the log", r.Log())
	searchFiles(t, v, r.Path("queue"))
}

// writeSecret writes relay.toml whole: this trial has its own [intake] and [admin].
func writeSecret(t *testing.T, r *trial.Relay, toml string) {
	t.Helper()
	toml = strings.NewReplacer("ADMIN", r.Admin).Replace(toml)
	if err := os.WriteFile(r.Path("relay.toml"), []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// failed is how many services have tried and not delivered.
func failed(r *trial.Relay) int {
	names := map[string]bool{}
	for line := range strings.Lines(r.Page("/metrics")) {
		value, found := strings.CutPrefix(line, "relay_attempts_total{class=")
		if found && !strings.HasSuffix(strings.TrimSpace(value), " 0") {
			_, name, _ := strings.Cut(value, `service="`)
			name, _, _ = strings.Cut(name, `"`)
			names[name] = true
		}
	}
	return len(names)
}

// commands runs every command that shows something.
func commands(r *trial.Relay, services []string) map[string]string {
	list := [][]string{
		{"check"},
		{"status"},
		{"status", "--json"},
		{"reload"},
		{"dead", "list"},
		{"dead", "list", "--json"},
		{"dead", "replay", "--all", "--dry-run"},
	}
	for _, s := range services {
		list = append(list, []string{"debug", s}, []string{"test", s})
		if strings.HasSuffix(s, "-raw") { // the endpoint's spelling is nothing to these
			list = append(list, []string{"render", s}, []string{"probe", s})
		}
	}
	for line := range strings.Lines(first(r.Run("dead", "list"))) {
		if number := strings.Fields(line); len(number) > 0 && number[0][0] >= '0' && number[0][0] <= '9' {
			list = append(list, []string{"dead", "show", number[0]})
		}
	}
	out := map[string]string{}
	for _, args := range list {
		out["relay "+strings.Join(args, " ")] = first(r.Run(args...))
	}
	return out
}

func first(text string, _ int) string { return text }

// pages gets every page, as a visitor and as the operator.
func pages(t *testing.T, r *trial.Relay, token string, services []string) map[string]string {
	t.Helper()
	paths := []string{"/", "/metrics", "/healthz", "/readyz", "/dead", "/config", "/login", "/no/such/page"}
	for _, s := range services {
		paths = append(paths, "/services/"+s)
	}
	out := map[string]string{}
	for _, path := range paths {
		out["visitor at "+path] = r.Page(path)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		out["operator at "+path] = string(body) + fmt.Sprint(resp.Header)
	}
	return out
}

// spoiled has the relay refuse configurations that hold secrets in wrong places.
func spoiled(t *testing.T, r *trial.Relay, v *vault, toml string) {
	t.Helper()
	for name, more := range map[string]string{
		"an unended string": "\nx = \"" + v.plain("text of an unended string"),
		"a wrong type":      "\n[[service]]\nname = \"w\"\nurl = \"http://127.0.0.1\"\nauth.bearer = [" + strconv.Quote(v.plain("secret of a wrong type")) + "]",
		"an unknown key":    "\n[[service]]\nname = \"w\"\nurl = \"http://127.0.0.1\"\nauth.baerer = " + strconv.Quote(v.plain("secret of an unknown key")),
		"no base64":         "\n[[service]]\nname = \"w\"\nurl = \"http://127.0.0.1\"\nsigning = [" + strconv.Quote("whsec_"+v.plain("signing secret that is none")+"*") + "]",
		"a user in the URL": "\n[[service]]\nname = \"w\"\nurl = " + strconv.Quote("http://u:"+v.plain("password in a URL")+"@127.0.0.1"),
		"a wrong proxy":     "\n[[service]]\nname = \"w\"\nurl = \"http://127.0.0.1\"\nproxy = " + strconv.Quote("ftp://u:"+v.plain("password of a wrong proxy")+"@127.0.0.1:x"),
	} {
		writeSecret(t, r, toml+more)
		for _, command := range []string{"check", "reload", "status"} {
			text, status := r.Run(command)
			v.search(t, "relay "+command+" with "+name, text)
			if command == "check" && status != 1 {
				t.Errorf("relay check with %s: exit status %d, want 1", name, status)
			}
		}
	}
}

func natsPassword(t *testing.T, r *trial.Relay, name string) string {
	t.Helper()
	text, err := os.ReadFile(r.Path("queue/nats/" + name + ".json"))
	if err != nil {
		t.Fatal(err)
	}
	_, password, _ := strings.Cut(string(text), `"password"`)
	parts := strings.Split(password, `"`)
	if len(parts) < 2 || len(parts[1]) < 16 {
		t.Fatalf("%s.json has no password", name)
	}
	return parts[1]
}

// startTail follows attempts until the returned function is called.
func startTail(t *testing.T, r *trial.Relay) (stop func() string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "tail", "-c", r.Path("relay.toml"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() string {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		return out.String()
	}
}

func collected(r *trial.Receiver) string {
	var b strings.Builder
	for _, a := range r.Arrivals() {
		b.WriteString(a.Body)
	}
	return b.String()
}

// searchFiles looks at all that the queue keeps, but for the credentials of its
// own users.
func searchFiles(t *testing.T, v *vault, dir string) {
	t.Helper()
	files, known := 0, false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(strings.Split(path, "/"), "nats") {
			return err
		}
		text, err := os.ReadFile(path)
		files, known = files+1, known || bytes.Contains(text, []byte("/bearer/raw"))
		v.search(t, "the file "+strings.TrimPrefix(path, dir), string(text))
		return err
	})
	if err != nil || !known {
		t.Errorf("%d files looked at, a transcript found: %v, %v", files, known, err)
	}
}
