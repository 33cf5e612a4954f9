package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each case is a file and the problems with it, "relay.toml:" left out.
var problemTests = []struct {
	name string
	file string
	want []string
}{
	// The text of the file.
	{"no TOML", "[intake]\nsocket =\n", []string{`2: not TOML: expected value but found '\n' instead: a text stands in quotes (last key: intake.socket)`}},
	{"a boolean of other files", service + "active = yes", []string{`4: not TOML: expected value but found "yes" instead: true or false, without quotes (last key: service.active)`}},
	{"quotes in a text", service + `json = "{ "a": 1 }"`, []string{`4: not TOML: expected a top-level item to end with a newline, comment, or EOF, but got 'a' instead: a text with quotes in it stands between ''' and ''' (last key: service)`}},
	{"a key of other products", service + "retries = 3", []string{`4: service "crm": retries is not a known key (here: retry_schedule is the pauses, max_age the end)`}},
	{"a colon for =", "[intake]\nsocket: \"x\"", []string{`2: not TOML: expected '.' or '=', but got ':' instead (last key: intake)`}},
	{"a quote that is open", "[intake]\nsocket = \"x\nlisten = \"y\"", []string{`2: not TOML: strings cannot contain newlines: a quote is not closed (last key: intake.socket)`}},
	{"a key given twice", "[intake]\nsocket = \"a\"\nsocket = \"b\"", []string{
		`3: not TOML: Key 'intake.socket' has already been defined (last key: intake.socket)`,
	}},
	{"an unquoted secret is not shown", "[admin]\ntoken = hunter2hunter2", []string{`2: not TOML: expected value but found something else: a text stands in quotes (last key: admin.token)`}},
	{"a secret that starts like a number is not shown", "[admin]\ntoken = 0xhunter2", []string{`2: not TOML: not a hexadecimal number: '0xh' (last key: admin.token)`}},
	{"a number that may be a secret is not shown", "[admin]\ntoken = 99999999999999999999", []string{`2: not TOML: … is out of range for int64 (last key: admin.token)`}},

	// Keys and types.
	{"an unknown table", "[intakes]", []string{`1: intakes is not a known table (nearest: intake)`}},
	{"an unknown key with a near one", "[queue]\nmax_byte = 1", []string{`2: queue: max_byte is not a known key (nearest: max_bytes)`}},
	{"an unknown key with none near", "[admin]\ncolour = 1", []string{`2: admin: colour is not a known key (known: socket, listen, token, hosts, trusted_proxies)`}},
	{"an unknown key of a table in a service", service + "auth.beraer = \"x\"", []string{`4: service "crm": auth.beraer is not a known key (nearest: bearer)`}},
	{"an unknown key of a table in a list", "[recordings]\nkeys = [\n  { id = \"a\", secret = \"" + key32 + "\" },\n  { idd = \"b\", secret = \"" + key32 + "\" },\n]", []string{
		`4: recordings: keys 2: idd is not a known key (nearest: id)`,
		`4: recordings: keys 2: id is missing`,
	}},
	{"types are problems among others", `[intake]
socket = 5
allow_users = "ann"
socket_mode = 660
max_event = "much"
[queue]
spool = "yes"
replicas = "3"
keep = 24
[admin]
token = 5
hosts = { a = 1 }
[defaults]
breaker = 5
breaker2 = 5
debug = "often"
headers = "X-Secret: hunter2"
success = [2, "20x"]
signing = "hunter2"
rate = "50"
retry_schedule = ["5s", "soon"]
`, []string{
		`2: intake: socket is a number, not text`,
		`3: intake: allow_users is text, not a list`,
		`4: intake: socket_mode 660 is not a mode (such as "0660")`,
		`5: intake: max_event "much" is not a size (such as "8GiB", "256KiB", 1024)`,
		`7: queue: spool "yes" is not true or false`,
		`8: queue: replicas "3" is not a whole number`,
		`9: queue: keep 24 is not a duration (such as "30s", "24h", "7d")`,
		`11: admin: token is a number, not a secret ("text", { env = "NAME" } or { file = "path" })`,
		`12: admin: hosts is a table, not a list`,
		`14: defaults: breaker is a number, not a table`,
		`15: defaults: breaker2 is not a known key (nearest: breaker)`,
		`16: defaults: debug "often" is not true, false or a duration (such as "30m")`,
		`17: defaults: headers is text, not a table`,
		`18: defaults: success 2 is not a status (such as "2xx", "404")`,
		`18: defaults: success "20x" is not a status (such as "2xx", "404")`,
		`19: defaults: signing is text, not a list of secrets`,
		`20: defaults: rate "50" is not a rate (such as "50/s", "300/m", "1000/h", "10000/d")`,
		`21: defaults: retry_schedule "soon" is not a duration (such as "30s", "24h", "7d")`,
	}},
	{"tables that are no tables", "intake = 5\nservice = 6\n[binding]\n[[queue]]", []string{
		`1: intake is a number, not a table ([intake])`,
		`2: service is a number, not a list of tables ([[service]])`,
		`3: binding is a table, not a list of tables ([[binding]])`,
		`4: queue is a list, not a table ([queue])`,
	}},
	{"a secret of two kinds", "[admin]\ntoken = { env = \"A\", file = \"b\" }", []string{`2: admin: token needs one of env and file`}},
	{"a secret of no kind", "[admin]\ntoken = {}", []string{`2: admin: token needs one of env and file`}},
	{"a secret with an unknown key", "[admin]\ntoken = { evn = \"A\" }", []string{`2: admin: token.evn is not a known key (nearest: env)`}},
	{"create goes with a file", "[admin]\ntoken = { env = \"A\", create = true }", []string{`2: admin: token.create is for a file, not for env`}},

	// [intake], [queue] and [admin].
	{"a socket nobody can bind", "[intake]\nsocket = \"/" + strings.Repeat("s", 104) + "\"", []string{
		`2: intake: socket "/` + strings.Repeat("s", 104) + `" is 105 bytes long (at most 104)`,
	}},
	{"a socket that is not there", "[admin]\nsocket = \"\"", []string{`2: admin: socket is missing`}},
	{"one socket for two", "[admin]\nsocket = \"run/relay.sock\"", []string{`2: admin: socket "$DIR/run/relay.sock" is that of [intake]`}},
	{"a loopback listener for all", "[intake]\nlisten = \":8765\"\ntoken = \"t\"", []string{
		`2: intake: listen ":8765" is not a loopback address (127.0.0.1, ::1 or localhost)`,
	}},
	{"a listener without a token", "[intake]\nlisten = \"[::1]:8765\"\ntoken = \"\"", []string{`3: intake: token is missing (listen needs it)`}},
	{"a listener without the default token", "[intake]\nlisten = \"127.0.0.1:8765\"", []string{`1: intake: token: environment variable RELAY_INTAKE_TOKEN is not set (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`}},
	{"a token no header can carry", "[intake]\nlisten = \"127.0.0.1:8765\"\ntoken = \"a\\nb\"", []string{`3: intake: token has a control character`}},
	{"no address", "[admin]\nlisten = \"9464\"\n[queue]\nlisten = \"127.0.0.1:70000\"", []string{
		`2: admin: listen "9464" is not an address (such as "127.0.0.1:8765")`,
		`4: queue: listen "127.0.0.1:70000" is not an address (such as "127.0.0.1:8765")`,
	}},
	{"one address for two", "[queue]\nlisten = \"127.0.0.1:9464\"", []string{`2: queue: listen "127.0.0.1:9464" is that of [admin]`}},
	{"a host with a port", "[admin]\nhosts = [\"ok.example.com\", \"a:80\"]", []string{`2: admin: hosts "a:80" is not the name of a host (without scheme and port)`}},
	{"sizes out of range", "[intake]\nmax_event = \"8MiB\"\n[queue]\nmax_bytes = \"1KiB\"", []string{
		`2: intake: max_event 8MiB is not allowed (64 to 4MiB)`,
		`4: queue: max_bytes 1KiB is not allowed (64KiB to 1024TiB)`,
	}},
	{"nothing is kept", "[queue]\nkeep = \"0s\"\nreplicas = 6\ndir = \"\"\nsite = \"a b\"", []string{
		`2: queue: keep "0s" is not more than 0`,
		`3: queue: replicas 6 is not allowed (1 to 5)`,
		`4: queue: dir is missing`,
		`5: queue: site "a b" is not a name (at most 64 of A-Z a-z 0-9 _ -)`,
	}},
	{"a spool without a cluster", "[queue]\nspool = true", []string{`2: queue: spool needs servers (there is nothing to forward to)`}},
	{"servers that are none", "[queue]\nservers = [\"tls://a:4222\", \"http://b\", \"nats://u:hunter2@c\"]", []string{
		`2: queue: servers "http://b" is not an absolute URL (allowed: nats://, tls://, ws://, wss://)`,
		`2: queue: servers holds a user or a password, which are no part of a URL that is shown`,
	}},
	{"a hub and a cluster", "[queue]\nservers = [\"nats://a\"]\n[queue.hub]\nurl = \"x\"", []string{
		`2: queue: servers cannot stand beside [queue.hub] (a hub links the embedded queue)`,
		`3: queue.hub: urls is missing`,
		`4: queue.hub: url is not a known key (nearest: urls)`,
	}},
	{"an edge that is none", "[queue.hub]\nurls = [\"ws://a\", \"tls://b\"]\ndomain = \"a.b\"", []string{
		`2: queue.hub: urls mixes ws:// and wss:// with others`,
		`3: queue.hub: domain "a.b" is not a name (at most 64 of A-Z a-z 0-9 _ -)`,
	}},
	{"an edge in the place of the hub", "[queue]\nsite = \"hub\"\n[queue.hub]\nurls = [\"tls://b\"]", []string{
		`3: queue.hub: domain "hub" is that of the hub itself`,
	}},

	// [recordings].
	{"recordings within the queue", "[queue]\ndir = \"data\"\n[recordings]\nkeys = [" + key1 + "]\ndir = \"data/rec\"", []string{
		`5: recordings: queue.dir "$DIR/data" and recordings.dir "$DIR/data/rec" overlap`,
	}},
	{"the queue around what others have", "[queue]\ndir = \"run\"\n[recordings]\nkeys = [" + key1 + "]", []string{
		`2: queue: dir "$DIR/run" holds intake.socket`,
	}},
	{"a socket among the recordings", "[intake]\nsocket = \"run/recordings/x.sock\"\n[recordings]\nkeys = [" + key1 + "]", []string{
		`2: intake: socket "$DIR/run/recordings/x.sock" lies in recordings.dir`,
	}},
	{"recordings that cannot be linked", "[recordings]\nkeys = [" + key1 + "]\nurl = \"/recordings\"\naccess = \"open\"\nexpires = \"0s\"", []string{
		`3: recordings: url "/recordings" is not an absolute URL (allowed: http://, https://)`,
		`4: recordings: access "open" is not allowed (allowed: signed, basic, anonymous)`,
		`5: recordings: expires "0s" is not more than 0`,
	}},
	{"a link with a query", "[recordings]\nkeys = [" + key1 + "]\nurl = \"https://a/r?token=hunter2\"", []string{
		`3: recordings: url "https://a/r" has a query or a fragment (links add their own)`,
	}},
	{"signed links without a key", "[recordings]\nkeys = []", []string{`2: recordings: keys is empty (signed and anonymous links need a key)`}},
	{"signed links without the default key", "[recordings]", []string{`1: recordings: keys 1: secret: environment variable RELAY_RECORDING_KEY is not set (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`}},
	{"weak keys", "[recordings]\nkeys = [{ id = \"a\", secret = \"hunter2\" },\n" + key1 + ",\n" + key1 + "]", []string{
		`2: recordings: keys 1: secret has 7 bytes (at least 32)`,
		`4: recordings: keys 3: id "k1" is given twice`,
	}},
	{"basic links without users", "[recordings]\naccess = \"basic\"", []string{`1: recordings: users is empty (access "basic" needs one)`}},
	{"users who cannot log in", "[recordings]\naccess = \"basic\"\nusers = [{ name = \"a:b\", password = \"x\" },\n{ name = \"c\" },\n{ name = \"c\", password = \"x\" }]", []string{
		`3: recordings: users 1: name "a:b" has a colon, which basic authentication cannot carry`,
		`4: recordings: users 2: password is missing`,
		`5: recordings: users 3: name "c" is given twice`,
	}},
	{"the mode of a service needs its users, too", "[recordings]\nkeys = [" + key1 + "]\n" + service + "recording_access = \"basic\"", []string{
		`1: recordings: users is empty (access "basic" needs one)`,
	}},
	{"raw recordings without sound", "[recordings]\nkeys = [" + key1 + "]\nraw = { rate = 0, channels = 99 }", []string{
		`3: recordings: raw.rate 0 is not allowed (1000 to 384000)`,
		`3: recordings: raw.channels 99 is not allowed (1 to 16)`,
	}},
	{"a server without a certificate", "[recordings]\nkeys = [" + key1 + "]\ntls = { ca = \"no.pem\" }", []string{
		`3: recordings: tls.cert is missing`,
		`3: recordings: tls.ca "$DIR/no.pem": no such file or directory`,
	}},

	// [defaults] and [[service]].
	{"defaults of what has none", "[defaults]\nname = \"x\"\nurl = \"y\"\njson = \"z\"\nsoap.body = \"b\"", []string{
		`2: defaults: name cannot have a default`,
		`3: defaults: url cannot have a default`,
		`4: defaults: json cannot have a default`,
		`5: defaults: soap.body cannot have a default`,
	}},
	{"a default is complained of once", "[defaults]\nconcurrency = 5000\n" + service + service2, []string{`2: defaults: concurrency 5000 is not allowed (1 to 1024)`}},
	{"a service without anything", "[[service]]", []string{`1: service 1: name is missing`, `1: service 1: url is missing`}},
	{"names", "[[service]]\nname = \"a b\"\nurl = \"http://x\"\n" + service + service, []string{
		`2: service "a b": name "a b" is not a name (at most 64 of A-Z a-z 0-9 _ -)`,
		`8: service "crm": name "crm" is taken (line 5)`,
	}},
	{"words that are not allowed", service + "type = \"rest\"\nmethod = \"HEAD\"\nmissing = \"no\"\norder = \"uii\"\nrecording_access = \"open\"", []string{
		`4: service "crm": type "rest" is not allowed (allowed: http, soap)`,
		`5: service "crm": method "HEAD" is not allowed (allowed: GET, POST, PUT, PATCH, DELETE)`,
		`6: service "crm": missing "no" is not allowed (allowed: empty, reject)`,
		`7: service "crm": order "uii" is not allowed (allowed: none, call)`,
		`8: service "crm": recording_access "open" is not allowed (allowed: signed, basic, anonymous)`,
	}},
	{"numbers that are not allowed", service + "concurrency = 0\ntimeout = \"0s\"\nmax_response = \"1GiB\"\nmax_age = \"0s\"\nsuccess = []\nretry_schedule = []\ncontent_type = \"json; x\"", []string{
		`4: service "crm": concurrency 0 is not allowed (1 to 1024)`,
		`5: service "crm": timeout "0s" is not more than 0`,
		`6: service "crm": max_response 1GiB is not allowed (1 to 64MiB)`,
		`7: service "crm": max_age "0s" is not more than 0`,
		`8: service "crm": success is empty (nothing would ever be delivered)`,
		`9: service "crm": retry_schedule is empty`,
		`10: service "crm": content_type "json; x" is not a media type`,
	}},
	{"charsets that the bytes do not have", service + "content_type = \"text/xml; charset=ISO-8859-1\"\nxml = '<?xml version=\"1.0\" encoding=\"windows-1252\"?><a/>'\n[[service]]\nname = \"u\"\nurl = \"http://h/\"\ncontent_type = \"text/xml; charset=UTF8\"\nxml = '<?xml version=\"1.0\" encoding=\"Utf-8\"?><a/>'", []string{
		`4: service "crm": content_type names the charset "ISO-8859-1" (all that is sent is UTF-8)`,
		`5: service "crm": xml names the charset "windows-1252" (all that is sent is UTF-8)`,
	}},
	{"breakers that never close", service + "[service.breaker]\nfailures = 0\nratio = 1.5\nminimum = 0\nwindow = \"0s\"\nopen = \"10m\"", []string{
		`5: service "crm": breaker.failures 0 is not allowed (1 to 10000)`,
		`6: service "crm": breaker.ratio 1.5 is not allowed (more than 0, at most 1)`,
		`7: service "crm": breaker.minimum 0 is not allowed (1 to 1000000)`,
		`8: service "crm": breaker.window "0s" is not more than 0`,
		`9: service "crm": breaker.open does not fit max_open (open is 10m0s, max_open 5m0s)`,
	}},
	{"urls", urls("crm.example.com", "ftp://a", "http://", "#proto#://a", "https://#host#/x", "https://a:#port#/", "https://u:hunter2@a/", "https://a:b/", "http://a:99999", "mailto:x?subject=hunter2"), []string{
		`3: service "s0": url "crm.example.com" is not an absolute URL (allowed: http://, https://)`,
		`6: service "s1": url "ftp://a" is not an absolute URL (allowed: http://, https://)`,
		`9: service "s2": url "http://" is not an absolute URL (allowed: http://, https://)`,
		`12: service "s3": url "#proto#://a" has a tag in its scheme (tags may stand in path and query)`,
		`15: service "s4": url "https://#host#/x" has a tag in its host or port (tags may stand in path and query)`,
		`18: service "s5": url "https://a:#port#/" has a tag in its host or port (tags may stand in path and query)`,
		`21: service "s6": url holds a user or a password (use auth.basic)`,
		`24: service "s7": url "https://a:b" is not an absolute URL (allowed: http://, https://)`,
		`27: service "s8": url "http://a:99999" is not an absolute URL (allowed: http://, https://)`,
		`30: service "s9": url "mailto:x" is not an absolute URL (allowed: http://, https://)`,
	}},
	{"two bodies", service + "json = \"{}\"\nxml = \"\"", []string{`5: service "crm": xml cannot stand beside json (a service has one body)`}},
	{"a body with GET", service + "method = \"GET\"\ntext = \"x\"", []string{`5: service "crm": text cannot go with method "GET" (allowed: POST, PUT, PATCH, DELETE)`}},
	{"headers that are not theirs", service + "[service.headers]\nHost = \"x\"\ncontent-type = \"x\"\nWebhook-Id = \"x\"\nrelay-attempt = \"x\"\nX-A = \"x\"\nx-a = \"x\"\nX-B = \"a\\nb\"\n\"X C\" = \"\"\nX-D = []", []string{
		`5: service "crm": headers.Host cannot be set here (it follows from the URL)`,
		`6: service "crm": headers.content-type cannot be set here (use content_type)`,
		`7: service "crm": headers.Webhook-Id cannot be set here (the relay sets it)`,
		`8: service "crm": headers.relay-attempt cannot be set here (the relay sets it)`,
		`10: service "crm": headers.x-a is given twice`,
		`11: service "crm": headers.X-B has a line end`,
		`12: service "crm": headers."X C" is not the name of a header`,
		`13: service "crm": headers.X-D is a list, not text`,
	}},
	{"a header that auth sets", service + "headers = { Authorization = \"hunter2\" }\nauth.bearer = \"x\"", []string{
		`4: service "crm": headers.Authorization cannot stand beside auth, which sets it`,
	}},
	{"soap without soap", service + "type = \"soap\"", []string{`1: service "crm": soap.operation is missing`}},
	{"soap that cannot be", service + "type = \"soap\"\nmethod = \"PUT\"\njson = \"\"\n[service.soap]\nversion = \"1.3\"\nstyle = \"x\"\noperation = \"a b\"\nparams = { \"1a\" = \"x\" }", []string{
		`5: service "crm": method "PUT" cannot go with type "soap" (allowed: POST)`,
		`6: service "crm": json cannot go with type "soap" (use soap.params or soap.body)`,
		`8: service "crm": soap.version "1.3" is not allowed (allowed: 1.1, 1.2)`,
		`9: service "crm": soap.style "x" is not allowed (allowed: document, rpc)`,
		`10: service "crm": soap.operation "a b" is not the name of an XML element`,
		`11: service "crm": soap.params."1a" is not the name of an XML element`,
	}},
	{"two soap bodies", service + "type = \"soap\"\n[service.soap]\nbody = \"<a/>\"\nparams = { a = \"x\" }", []string{`7: service "crm": soap.params cannot stand beside body`}},
	{"soap of a service that has none", service + "auth.wsse = { user = \"x\", password = \"x\" }\n[service.soap]\noperation = \"x\"", []string{
		`4: service "crm": auth.wsse needs type = "soap"`,
		`5: service "crm": soap needs type = "soap"`,
	}},
	{"two kinds of auth", service + "[service.auth]\nbasic = { user = \"u\", password = \"p\" }\nbearer = \"x\"", []string{
		`6: service "crm": auth.bearer cannot stand beside basic (a service has one kind of auth)`,
	}},
	{"auth of its own is not that of the defaults", "[defaults.auth]\nbasic = { user = \"u\", password = \"p\" }\n" + service + "auth.basic = { password = \"p\" }", []string{
		`6: service "crm": auth.basic.user is missing`,
	}},
	{"auth of the defaults", "[defaults]\nauth.basic = { user = \"u\", password = { env = \"RELAY_TEST_UNSET\" } }\n" + service + service2, []string{
		`2: defaults: auth.basic.password: environment variable RELAY_TEST_UNSET is not set (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`,
	}},
	{"auth that lacks something", service + "auth.basic = {}\n" + service2 + "auth.header = { name = \"Host\" }\n[[service]]\nname = \"c\"\nurl = \"http://c\"\nauth.oauth2 = { token_url = \"x\" }", []string{
		`4: service "crm": auth.basic.user is missing`,
		`4: service "crm": auth.basic.password is missing`,
		`8: service "erp": auth.header.name "Host" cannot be set here (it follows from the URL)`,
		`8: service "erp": auth.header.value is missing`,
		`12: service "c": auth.oauth2.token_url "x" is not an absolute URL (allowed: http://, https://)`,
		`12: service "c": auth.oauth2.client_id is missing`,
		`12: service "c": auth.oauth2.client_secret is missing`,
	}},
	{"secrets that are not there", service + "auth.bearer = { env = \"RELAY_TEST_UNSET\" }\nproxy = { file = \"no/proxy\" }\nsigning = [\"\", \"hunter2\", \"whsec_aHVudGVyMg==\"]", []string{
		`4: service "crm": auth.bearer: environment variable RELAY_TEST_UNSET is not set (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`,
		`5: service "crm": proxy: open $DIR/no/proxy: no such file or directory`,
		`6: service "crm": signing holds an empty secret`,
		`6: service "crm": signing 2 is not a Standard Webhooks secret ("whsec_" and base64)`,
		`6: service "crm": signing 3 is not of 24 to 64 bytes`,
	}},
	{"a proxy whose password is not written as a URL wants it", service + "proxy = \"http://user:p@ss#1@proxy:3128\"", []string{
		`4: service "crm": proxy has a path, a query or a fragment (in a password, / ? # @ are written %2F %3F %23 %40)`,
	}},
	{"a proxy with a path", service + "proxy = \"http://proxy:3128/hunter2\"", []string{
		`4: service "crm": proxy has a path, a query or a fragment (in a password, / ? # @ are written %2F %3F %23 %40)`,
	}},
	{"a proxy with a query", service + "proxy = \"http://user:p@ss?1@proxy:3128\"", []string{
		`4: service "crm": proxy has a path, a query or a fragment (in a password, / ? # @ are written %2F %3F %23 %40)`,
	}},
	{"a pattern that is none", service + "success_body = \"(\"", []string{
		"4: service \"crm\": success_body is no RE2 pattern: missing closing ): `(`",
	}},
	{"renegotiation of another kind", service + "tls = { renegotiation = \"often\" }", []string{
		`4: service "crm": tls.renegotiation "often" is not allowed (allowed: never, once)`,
	}},
	{"grants without what they need", service + "auth.oauth2 = { token_url = \"https://h/t\", grant = \"password\", refresh_token = \"hunter2\" }", []string{
		`4: service "crm": auth.oauth2.user is missing`,
		`4: service "crm": auth.oauth2.password is missing`,
		`4: service "crm": auth.oauth2.refresh_token needs grant = "refresh_token"`,
	}},
	{"an assertion about an event", service + "auth.oauth2 = { token_url = \"https://h/t\", grant = \"jwt_bearer\", assertion = { alg = \"HS256\", key = \"hunter2\", claims = { sub = \"#uii#\" } } }", []string{
		`4: service "crm": auth.oauth2.assertion.claims hold a #: a token is asked for without an event, so no tag stands for anything`,
	}},
	{"keys for a signature that are not there", service + "auth.aws = { service = \"\" }\nauth.basic = { user = \"u\", password = \"hunter2\" }", []string{
		`4: service "crm": auth.aws cannot stand beside basic (a service has one kind of auth)`,
		`4: service "crm": auth.aws.region is missing`,
		`4: service "crm": auth.aws.service is missing`,
		`4: service "crm": auth.aws.access_key is missing`,
		`4: service "crm": auth.aws.secret_key is missing`,
	}},
	{"a token that cannot be signed", service + "auth.jwt = { alg = \"none\", claims = [], header = \"Host\", expires = \"0s\" }", []string{
		`4: service "crm": auth.jwt.claims is a list, not a table of texts and numbers`,
		`4: service "crm": auth.jwt.alg "none" is not allowed (allowed: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA)`,
		`4: service "crm": auth.jwt.key is missing`,
		`4: service "crm": auth.jwt.expires "0s" is not more than 0`,
		`4: service "crm": auth.jwt.header "Host" cannot be set here (it follows from the URL)`,
	}},
	{"a proxy that is none", service + "proxy = \"proxy.example.com:hunter2\"", []string{
		`4: service "crm": proxy is not the URL of a proxy (allowed: http://, https://, socks5://)`,
	}},
	{"certificates", service + "[service.tls]\nca = \"relay.toml\"\ncert = \"no.pem\"\nmin_version = \"1.1\"\n" + service2 + "tls = { cert = \"relay.toml\", key = \"relay.toml\" }", []string{
		`5: service "crm": tls.ca "$DIR/relay.toml" holds no certificate in PEM form`,
		`6: service "crm": tls.cert needs key`,
		`7: service "crm": tls.min_version "1.1" is not allowed (allowed: 1.2, 1.3)`,
		`11: service "erp": tls.cert "$DIR/relay.toml" and key "$DIR/relay.toml": tls: failed to find any PEM data in certificate input`,
	}},

	// [[binding]], [[mapping]] and [[source]].
	{"a binding of nothing", "[[binding]]", []string{`1: binding 1: event is missing`, `1: binding 1: service is missing`}},
	{"a binding to nobody", service + service2 + "[[binding]]\nevent = \"x\"\nservice = [\n\"crm\",\n\"crm2\",\n]", []string{
		`11: binding 1: service "crm2" is not defined (defined: crm, erp)`,
	}},
	{"a binding where there are no services", "[[binding]]\nevent = \"x\"\nservice = \"crm\"", []string{`3: binding 1: service "crm" is not defined (none is defined)`}},
	{"events that are not", service + "[[binding]]\nevent = [\"Call-End\",\n\"relay_dead\", 5]\nservice = \"crm\"", []string{
		`5: binding 1: event "Call-End" is not a name (at most 64 of a-z 0-9 _)`,
	}},
	{"two scopes", service + "[[binding]]\nevent = \"x\"\nqueue = \"a\"\nivr = \"b\"\nroute = \"\"\nservice = \"crm\"", []string{
		`7: binding 1: ivr cannot stand beside queue (a binding has one scope)`,
		`8: binding 1: route cannot stand beside queue (a binding has one scope)`,
	}},
	{"a scope of nothing", service + "[[binding]]\nevent = \"x\"\nqueue = []\nservice = \"crm\"", []string{`6: binding 1: queue is empty (leave it out for any scope)`}},
	{"where nothing matches", service + "[[binding]]\nevent = \"x\"\nservice = \"crm\"\n[binding.where]\na = []\n\"b c\" = \"x\"\nd = [[]]\ne = 1979-05-27", []string{
		`8: binding 1: where.a has no value (nothing would ever match)`,
		`9: binding 1: where."b c" is not the name of a tag`,
		`10: binding 1: where.d (a list) is not text`,
		`11: binding 1: where.e (a date) is not text`,
	}},
	{"mappings", "[[mapping]]\nfrom = \"a\"\n[[mapping]]\nfrom = \"a\"\nto = \"b\"", []string{
		`1: mapping 1: to is missing`,
		`4: mapping 2: from "a" is mapped twice`,
	}},
	{"an event socket with TLS", "[[source]]\nname = \"a\"\ntype = \"freeswitch\"\npassword = \"x\"\ntls = {}", []string{
		`5: source "a": tls is not allowed with type "freeswitch" (its event socket has none: lead it through a tunnel)`,
	}},
	{"sources", "[[source]]\ntype = \"pbx\"\naddress = \"x\"\nuser = \"\"\nrecordings_from = \"rec\"\nphones = [\"2[\"]\n[[source]]\nname = \"a\"\npassword = \"x\"\n[[source]]\nname = \"a\"\npassword = \"x\"", []string{
		`1: source 1: name is missing`,
		`1: source 1: password: environment variable RELAY_AMI_SECRET is not set (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`,
		`2: source 1: type "pbx" is not allowed (allowed: asterisk, freeswitch)`,
		`3: source 1: address "x" is not an address (such as "127.0.0.1:8765")`,
		`4: source 1: user is missing`,
		`5: source 1: recordings_from "rec" is not an absolute path`,
		`6: source 1: phones "2[" is no pattern such as "PJSIP/2[0-9][0-9]"`,
		`11: source "a": name "a" is taken`,
	}},
}

// Parts of the files above.
const (
	service  = "[[service]]\nname = \"crm\"\nurl = \"https://crm.example.com/\"\n"
	service2 = "[[service]]\nname = \"erp\"\nurl = \"https://erp.example.com/\"\n"
	key32    = "0123456789abcdef0123456789abcdef"
	key1     = "{ id = \"k1\", secret = \"" + key32 + "\" }"
)

// urls is a file of services with these URLs.
func urls(all ...string) string {
	var text strings.Builder
	for i, u := range all {
		text.WriteString("[[service]]\nname = \"s" + string(rune('0'+i)) + "\"\nurl = \"" + u + "\"\n")
	}
	return text.String()
}

func TestProblems(t *testing.T) {
	for _, test := range problemTests {
		t.Run(test.name, func(t *testing.T) {
			c, problems := load(t, test.file)
			dir := ""
			if c != nil {
				dir = filepath.Dir(c.Path)
			}
			var got []string
			for _, line := range lines(problems) {
				line = strings.ReplaceAll(strings.TrimPrefix(line, "relay.toml:"), dir+"/", "$DIR/")
				got = append(got, line)
				if strings.Contains(line, "hunter2") {
					t.Errorf("a problem quotes what may be a secret: %s", line)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestWordsThatAreNotAServices has each header that a service cannot set, and each
// key that other products have, once: the problem says who does, or what to write.
func TestWordsThatAreNotAServices(t *testing.T) {
	const auth, body = `auth = { basic = { user = "...", password = ... } }`, "one of params, json, xml, text, multipart, file"
	for line, want := range map[string]string{
		`headers = { Connection = "x" }`:        "headers.Connection cannot be set here (it belongs to the connection)",
		`headers = { Content-Length = "x" }`:    "headers.Content-Length cannot be set here (it follows from the body)",
		`headers = { Content-Type = "x" }`:      "headers.Content-Type cannot be set here (use content_type)",
		`headers = { Host = "x" }`:              "headers.Host cannot be set here (it follows from the URL)",
		`headers = { Keep-Alive = "x" }`:        "headers.Keep-Alive cannot be set here (it belongs to the connection)",
		`headers = { Proxy-Connection = "x" }`:  "headers.Proxy-Connection cannot be set here (it belongs to the connection)",
		`headers = { TE = "x" }`:                "headers.TE cannot be set here (it belongs to the connection)",
		`headers = { Trailer = "x" }`:           "headers.Trailer cannot be set here (it belongs to the connection)",
		`headers = { transfer-encoding = "x" }`: "headers.transfer-encoding cannot be set here (it belongs to the connection)",
		`headers = { Upgrade = "x" }`:           "headers.Upgrade cannot be set here (it belongs to the connection)",
		`headers = { User-Agent = "x" }`:        "headers.User-Agent cannot be set here (the relay names itself)",
		`username = "x"`:                        "username is not a known key (here: " + auth + ")",
		`user = "x"`:                            "user is not a known key (here: " + auth + ")",
		`password = "x"`:                        "password is not a known key (here: " + auth + ")",
		`token = "x"`:                           "token is not a known key (here: auth = { bearer = ... })",
		`retries = 3`:                           "retries is not a known key (here: retry_schedule is the pauses, max_age the end)",
		`body = "x"`:                            "body is not a known key (here: " + body + ")",
		`payload = "x"`:                         "payload is not a known key (here: " + body + ")",
	} {
		_, problems := load(t, service+line)
		if got := lines(problems); len(got) != 1 || !strings.HasSuffix(got[0], `service "crm": `+want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestLoadOfNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.toml")
	for _, test := range []struct {
		name string
		make func() error
		want string
	}{
		{"a missing file", func() error { return nil }, path + ": no such file or directory"},
		{"a folder", func() error { return os.Mkdir(path, 0o700) }, path + ": is a directory"},
	} {
		if err := test.make(); err != nil {
			t.Fatal(err)
		}
		c, problems := Load(path)
		if got := lines(problems); c != nil || !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s: Load = %v, %v, want no Config and %q", test.name, c, got, test.want)
		}
	}
}

func TestProblemAt(t *testing.T) {
	c, problems := load(t, `
[defaults]
headers = { X-Shared = "a" }

[[service]]
name = "crm"
url = "https://crm.example.com/#queue#"
json = '''
{ "a": "#a#" }'''
soap.params = { first = "1" }
[service.query]
"a.b" = "x"
[[binding]]
event = "x"
service = "crm"
`)
	if len(problems) != 1 { // soap without its type
		t.Fatalf("problems: %v", lines(problems))
	}
	for _, test := range []struct {
		ref  Ref
		key  string
		want string
	}{
		{Ref{"service", 0}, "url", `relay.toml:7: service "crm": url: bad`},
		{Ref{"service", 0}, "json", `relay.toml:8: service "crm": json: bad`},
		{Ref{"service", 0}, "soap.params.first", `relay.toml:10: service "crm": soap.params.first: bad`},
		{Ref{"service", 0}, "query.a.b", `relay.toml:12: service "crm": query.a.b: bad`},
		{Ref{"service", 0}, "headers.X-Shared", `relay.toml:3: service "crm": headers.X-Shared: bad`},
		{Ref{"service", 0}, "method", `relay.toml:5: service "crm": method: bad`},
		{Ref{"binding", 0}, "event", `relay.toml:14: binding 1: event: bad`},
		{Ref{"binding", 0}, "queue", `relay.toml:13: binding 1: queue: bad`},
		{Ref{"queue", 0}, "keep", `relay.toml: queue: keep: bad`},
	} {
		p := c.ProblemAt(test.ref, test.key, "bad")
		p.File = filepath.Base(p.File)
		if got := p.String(); got != test.want {
			t.Errorf("ProblemAt(%v, %q) = %s, want %s", test.ref, test.key, got, test.want)
		}
	}
}

func TestSortKeepsTheOrderWithinALine(t *testing.T) {
	problems := []Problem{{Line: 3, Text: "c"}, {Line: 1, Text: "b"}, {Line: 1, Text: "a"}, {Text: "first"}}
	Sort(problems)
	var got []string
	for _, p := range problems {
		got = append(got, p.Text)
	}
	if want := []string{"first", "b", "a", "c"}; !slices.Equal(got, want) {
		t.Errorf("Sort = %q, want %q", got, want)
	}
}
