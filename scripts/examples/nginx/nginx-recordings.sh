#!/bin/bash
# Tries nginx-recordings.conf: a real nginx sends recordings that a real relay
# judges. Prints a line for each attempt; exits 1 when one went wrong.
#
#   scripts/examples/nginx/nginx-recordings.sh [RELAY]      # the program; built when not given
set -euo pipefail
cd "$(dirname "$0")/../../.."
nginx=$(command -v nginx || echo /usr/sbin/nginx)
dir=$(mktemp -d)
pids=()
trap '[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$dir"' EXIT
chmod 755 "$dir"

relay=${1:-$dir/relay}
[ $# -gt 0 ] || go build -o "$relay" ./relay
admin=127.0.0.1:19464 direct=127.0.0.1:18090 front=127.0.0.1:18443

mkdir -p "$dir/recordings/2020"
cp relay/recordings/testdata/stereo.wav "$dir/recordings/2020/a b.wav"
cp relay/recordings/testdata/mono.wav "$dir/recordings/other.wav"
echo secret > "$dir/secret.wav"
ln -s "$dir/secret.wav" "$dir/recordings/out.wav"

cat > "$dir/relay.toml" <<TOML
[intake]
socket = "relay.sock"
[queue]
dir    = "queue"
listen = ""
[admin]
socket = "admin.sock"
listen = "$admin"
[recordings]
dir    = "recordings"
url    = "http://$front/recordings"
listen = "$direct"
keys   = [{ id = "k1", secret = { file = "key", create = true } }]
users  = [{ name = "crm", password = "right horse" }]
TOML
for access in signed basic anonymous; do
	cat >> "$dir/relay.toml" <<TOML
[[service]]
name = "$access"
url  = "http://127.0.0.1:9/"
recording_access = "$access"
text = "#recording_url#"
TOML
done

# link ACCESS EVENT-MEMBERS: the link that would be sent.
link() {
	echo "{\"event\":\"post_call\",\"recording\":\"2020/a b.wav\"${2:-}}" |
		"$relay" render -c "$dir/relay.toml" "$1" -e - 2>/dev/null | grep -o "http://$front[^ ]*"
}

failed=0
# try NAME WANTED-STATUS CURL-ARGUMENTS: what was sent is left in $dir/body.
try() {
	local name=$1 want=$2 got
	shift 2
	got=$(curl -s --path-as-is -o "$dir/body" -w '%{http_code}' "$@")
	report "$name" "$([ "$got" = "$want" ] && echo yes)" "status $got, want $want"
}
report() {
	if [ "$2" = yes ]; then echo "pass  $1"; else echo "FAIL  $1: $3"; failed=1; fi
}
same() { report "$1" "$(cmp -s "$dir/body" "$2" && echo yes)" "another body"; }

"$relay" run -c "$dir/relay.toml" 2> "$dir/relay.log" &
pids+=($!)
sed -e "s|127.0.0.1:9464|$admin|; s|127.0.0.1:8090|$direct|; s|listen 8443;|listen $front;|; s|/var/spool/recordings|$dir/recordings|" \
	scripts/examples/nginx/nginx-recordings.conf > "$dir/site.conf"
cat > "$dir/nginx.conf" <<CONF
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log;
events { }
http {
    access_log off;
    client_body_temp_path $dir/tmp1; proxy_temp_path $dir/tmp2; fastcgi_temp_path $dir/tmp3;
    uwsgi_temp_path $dir/tmp4; scgi_temp_path $dir/tmp5;
    include $dir/site.conf;
}
CONF
"$nginx" -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" &
pids+=($!)
curl -s -o /dev/null --retry 50 --retry-delay 1 --retry-all-errors "http://$admin/healthz"
curl -s -o /dev/null --retry 50 --retry-delay 1 --retry-all-errors "http://$front/"

whole="$dir/recordings/2020/a b.wav"
signed=$(link signed) basic=$(link basic) anonymous=$(link anonymous)
slice=$(link signed ',"recording_start":1,"recording_end":2')
anonymous_slice=$(link anonymous ',"recording_start":1,"recording_end":2')

try "signed link" 200 "$signed"; same "  is the file" "$whole"
try "signed link, a range" 206 -r 100-199 "$signed"
try "signed link, HEAD" 200 -I "$signed"
try "anonymous link" 200 "$anonymous"; same "  is the file" "$whole"
try "basic link with the password" 200 -u "crm:right horse" "$basic"; same "  is the file" "$whole"
try "slice" 200 "$slice"
report "  is the part" "$([ "$(stat -c %s "$dir/body")" = 32044 ] && echo yes)" "$(stat -c %s "$dir/body") bytes"
try "slice, a range" 206 -r 40-99 "$slice"
try "anonymous slice" 200 "$anonymous_slice"
report "  is the part" "$([ "$(stat -c %s "$dir/body")" = 32044 ] && echo yes)" "$(stat -c %s "$dir/body") bytes"
try "basic link without a password" 401 "$basic"
try "basic link with a wrong one" 401 -u "crm:wrong" "$basic"
try "signature changed" 403 "${signed}x"
try "signature of another file" 403 "http://$front/recordings/other.wav?${signed#*\?}"
try "signature removed, right password" 200 -u "crm:right horse" "${signed%%\?*}" # this is the basic link
try "parameter added" 403 "$signed&x=1"
try "slice changed" 403 "${slice/end=2/end=3}"
try "slice removed" 403 "${slice/&start=1&end=2/}"
try "slice parameter written otherwise" 403 "${slice/&start=1&end=2/&%73tart=1&end=2}"
try "slice of a token removed" 401 "${anonymous_slice%%\?*}"
try "token guessed" 401 "http://$front/recordings/2020/AAAAAAAAAAAAAAAAAAAAAA"
try "symlink out" 403 -u "crm:right horse" "http://$front/recordings/out.wav"
try "dot dot" 403 -u "crm:right horse" "http://$front/recordings/2020/../other.wav"
try "encoded dot dot" 400 -u "crm:right horse" "http://$front/recordings/%2e%2e/%2e%2e/secret.wav"
try "encoded slash" 403 -u "crm:right horse" "http://$front/recordings/2020%2Fa%20b.wav"
try "a folder" 403 -u "crm:right horse" "http://$front/recordings/2020/"
try "not there" 404 -u "crm:right horse" "http://$front/recordings/never.wav"
try "another method" 403 -X DELETE "$signed"
try "the verifier itself" 404 "http://$front/recordings-verify"
exit $failed
