package config

import (
	"reflect"
	"strings"
	"testing"
)

// contracted are the defaults that users rely on, by key.
const contracted = `
intake.socket run/relay.sock
intake.socket_mode 0660
intake.timezone UTC
intake.token RELAY_INTAKE_TOKEN
intake.max_event 256KiB
queue.dir run/queue
queue.max_bytes 6GiB
queue.keep 24h
queue.dead_keep 30d
queue.dead_max_bytes 2GiB
queue.attempts_keep 24h
queue.dedup_window 2m
queue.listen 127.0.0.1:4222
queue.replicas 3
admin.socket run/admin.sock
admin.listen 127.0.0.1:9464
recordings.dir run/recordings
recordings.url http://127.0.0.1:8090/recordings
recordings.listen 127.0.0.1:8090
recordings.access signed
recordings.expires 7d
recordings.wait 2m
recordings.late 24h
recordings.raw.rate 8000
recordings.raw.channels 2
service.active true
service.type http
service.method POST
service.timezone UTC
service.missing empty
service.order none
service.concurrency 8
service.timeout 15s
service.max_response 64KiB
service.keep_alive true
service.success 2xx
service.retry_on 3xx 401 403 404 407 408 425 429 5xx
service.retry_schedule 5s 30s 2m 10m 30m 1h 3h 6h
service.max_age 7d
service.allow_private true
service.auth.oauth2.grant client_credentials
service.auth.oauth2.auth_style auto
service.auth.oauth2.assertion.expires 5m
service.auth.oauth2.assertion.header Authorization
service.auth.jwt.expires 5m
service.auth.jwt.header Authorization
service.auth.aws.service s3
service.breaker.failures 5
service.breaker.ratio 0.5
service.breaker.minimum 20
service.breaker.window 30s
service.breaker.open 15s
service.breaker.max_open 5m
service.soap.version 1.1
service.soap.style document
service.soap.unreadable delivered
source.type asterisk
source.user relay
`

// defaultsOf lists the defaults of a struct's keys, and of the structs in it.
func defaultsOf(path string, t reflect.Type) (lines []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for field := range t.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
		if text, ok := field.Tag.Lookup("default"); ok {
			lines = append(lines, join(path, key)+" "+text)
		}
		if key != "" && key != "defaults" {
			lines = append(lines, defaultsOf(join(path, key), field.Type)...)
		}
	}
	return lines
}

func TestDefaultsAreWhatUsersRelyOn(t *testing.T) {
	if got := strings.Join(defaultsOf("", reflect.TypeFor[Config]()), "\n"); got != strings.TrimSpace(contracted) {
		t.Errorf("the defaults are\n%s", got)
	}
}
