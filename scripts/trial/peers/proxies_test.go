package peers

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// fronts are the programs that stand before receivers, each with a second of
// patience for an idle connection, and refusing a large body before it has come.
// ADDRESS is where they listen, RECEIVER what they stand before, FOLDER theirs.
var fronts = []struct{ name, how, program, args, file, conf string }{
	{"nginx", "apt install nginx-light", "nginx", "-p FOLDER -c front.conf -e stderr", "front.conf", `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_timeout 1s;
    client_max_body_size 10k;
    server {
        listen ADDRESS;
        location / { proxy_pass http://RECEIVER; proxy_request_buffering BUFFERING; proxy_http_version 1.1; }
    }
}
`},
	{"HAProxy", "apt install haproxy", "haproxy", "-f FOLDER/front.conf", "front.conf", `
defaults
    mode http
    timeout connect 5s
    timeout client 1s
    timeout server 5s
    timeout http-keep-alive 1s
    timeout http-request 2s
    BUFFERING option http-buffer-request
frontend front
    bind ADDRESS
    http-request deny deny_status 413 if { req.hdr_val(content-length) gt 10240 }
    default_backend receiver
backend receiver
    server receiver RECEIVER
`},
	{"Caddy", "apt install caddy", "caddy", "run --adapter caddyfile --config FOLDER/front.conf", "front.conf", `
{
    admin off
    auto_https off
    servers {
        timeouts {
            idle 1s
        }
    }
}
http://ADDRESS {
    @large header_regexp Content-Length ^[0-9]{5,}
    respond @large "too large" 413
    reverse_proxy RECEIVER {
        BUFFERING buffer_requests
    }
}
`},
}

// TestFronts sends events a little faster and a little slower than a front
// closes idle connections, and in between some that it refuses before it has read
// them.
func TestFronts(t *testing.T) {
	for i, front := range fronts {
		for _, buffering := range []bool{true, false} {
			name := front.name + ", requests passed on at once"
			if buffering {
				name = front.name + ", requests buffered"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				needs(t, name, front.how, front.program)
				f := fronts[i]
				word := map[string]string{"nginx": "off", "HAProxy": "no", "Caddy": "#"}[f.name]
				if buffering {
					word = map[string]string{"nginx": "on"}[f.name]
				}
				receiver, folder, address := trial.NewReceiver(t), t.TempDir(), trial.FreeAddress(t)
				fill := strings.NewReplacer("ADDRESS", address, "RECEIVER", strings.TrimPrefix(receiver.URL, "http://"), "FOLDER", folder, "BUFFERING", word)
				if err := os.WriteFile(filepath.Join(folder, f.file), []byte(fill.Replace(f.conf)), 0o600); err != nil {
					t.Fatal(err)
				}
				startAt[struct{}](t, address, f.program, strings.Fields(fill.Replace(f.args))...)
				throughFront(t, name, "http://"+address, receiver)
			})
		}
	}
}

func throughFront(t *testing.T, name, url string, receiver *trial.Receiver) {
	t.Helper()
	came := "nothing"
	row(t, name+", idle 1 s", "10 bursts of 6, a second apart, 1 in 6 too large", &came)
	receiver.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r := trial.Start(t, binary, fmt.Sprintf(`
[[service]]
name = "crm"
url  = %q
json = '{"id":"#event_id#","notes":"#agent_notes#"}'
retry_schedule = ["50ms"]
`, url)+trial.Binding("crm"))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var small, large []string
	for burst := range 10 {
		small = append(small, r.Accept(trial.Numbered(fmt.Sprintf("small-%d", burst), "agent_termination", 5)...)...)
		large = append(large, r.Accept(fmt.Sprintf(`{"event":"agent_termination","uii":"large-%d","agent_notes":%q}`, burst, strings.Repeat("x", 100_000)))...)
		<-tick.C
		tick.Reset(time.Second - 20*time.Millisecond + time.Duration(burst)*4*time.Millisecond) // about when the front closes
	}
	settled(r, "crm")
	counts := receiver.Counts()
	once, passed := 0, 0
	for _, id := range small {
		if counts[id] == 1 {
			once++
		}
	}
	for _, id := range large {
		passed += counts[id]
	}
	opened := strings.Count(r.Log(), "breaker opened")
	came = fmt.Sprintf("%s delivered (%d of %d once), %s retried, %s dead by 413, breaker opened %d times", outcome(r, "delivered"), once, len(small), outcome(r, "retry"), outcome(r, "dead"), opened)
	if once != len(small) || passed != 0 || outcome(r, "dead") != "10" || outcome(r, "retry") != "0" || opened != 0 {
		letters, _ := r.Run("dead", "list")
		t.Errorf("%s: %s, %d of the large ones passed on\n%s\n%s", name, came, passed, letters, r.Log())
	}
}
