#!/bin/bash
# mutants.sh [PART]: drops every entry of every list of facts (tags and what they
# are, events, filters, bodies, reasons, states, ...) in a copy, one at a time, and
# runs the tests of the packages that ask it. Each must fail, or not compile. It
# takes some minutes; PART runs only the lists whose file's name has it.
set -u
part=${1:-}
from=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$from" && git ls-files -z | xargs -0 cp --parents -t "$work" 2>/dev/null)
cd "$work" || exit 1
survivors=0 mutants=0 lines=
export RELAY_EXCHANGE= # deliver's tests run once, not over net/http again

# try FILE NAME PACKAGE... runs the tests on what FILE has become, a package at a
# time until one fails, and puts it back. A package may have flags behind it.
try() {
  local file=$1 name=$2 package caught=
  shift 2
  if cmp -s "$file" original; then
    echo "$file: $name: nothing was changed" && survivors=$((survivors + 1))
    return
  fi
  mutants=$((mutants + 1))
  for package; do
    go test -vet=off -failfast $package >/dev/null 2>&1 || { caught=1 && break; }
  done
  if [ -z "$caught" ]; then
    echo "$file: $name: SURVIVES ($*)" && survivors=$((survivors + 1))
  fi
  cp original "$file"
}

# found FILE WHAT LINES takes which lines of FILE have an entry: there are some, or
# the list was moved or written anew, and is not tried any more.
found() {
  lines=$(cat "$3")
  [ -n "$lines" ] || { echo "$1: no list $2" && survivors=$((survivors + 1)); }
}

# rows FILE BEGIN PATTERN PACKAGE...: without each line that has PATTERN, from the
# line with BEGIN to the end of that declaration.
rows() {
  local file=$1 begin=$2 pattern=$3 line
  shift 3
  [[ $file == *$part* ]] || return
  cp "$file" original
  found "$file" "$begin" <(awk -v b="$begin" -v p="$pattern" '$0 ~ b {on=1; next} on && /^[})]/ && !/{$/ {exit} on && $0 ~ p {print NR}' original)
  for line in $lines; do
    sed "${line}d" original >"$file"
    try "$file" "without $(sed -n "${line}p" original | cut -c1-70)" "$@"
  done
}

# parts FILE PATTERN BY PACKAGE...: with each match of PATTERN, one at a time,
# replaced by BY.
parts() {
  local file=$1 pattern=$2 by=$3 line
  shift 3
  [[ $file == *$part* ]] || return
  cp "$file" original
  found "$file" "$pattern" <(grep -nE "$pattern" original | cut -d: -f1)
  for line in $lines; do
    sed -E "${line}s~$pattern~$by~" original >"$file"
    try "$file" "$(sed -n "${line}p" original | cut -c1-70): $pattern" "$@"
  done
}

# words FILE BEGIN PATTERN PACKAGE...: without each match of PATTERN, of which a line
# may have many, from the line with BEGIN to the end of that declaration.
words() {
  local file=$1 begin=$2 pattern=$3 n=1 word
  shift 3
  [[ $file == *$part* ]] || return
  cp "$file" original
  while word=$(one "$begin" "$pattern" $n original 2>&1 >"$file") && [ -n "$word" ]; do
    try "$file" "without $word" "$@"
    n=$((n + 1))
  done
  cp original "$file"
  found "$file" "$begin" <(seq $((n - 1)))
}

# one BEGIN PATTERN N FILE prints FILE without the Nth match, and that to stderr.
one() {
  begin=$1 pattern=$2 n=$3 awk '
    $0 ~ ENVIRON["begin"] { on = 1 }
    on { rest = $0; $0 = ""
      while (match(rest, ENVIRON["pattern"])) {
        word = substr(rest, RSTART, RLENGTH)
        if (++k == ENVIRON["n"]) { print word >"/dev/stderr"; word = "" }
        $0 = $0 substr(rest, 1, RSTART - 1) word
        rest = substr(rest, RSTART + RLENGTH)
      }
      $0 = $0 rest }
    /^[})]/ && !/{$/ { on = 0 }
    { print }' "$4"
}

call=./relay/call
rows relay/call/vocabulary.go '^var vocabulary' '^\t\t[a-zT].*(\),|\)\.)$|^\t\tTag' $call
rows relay/call/vocabulary.go '^var operational' '^\t[a-z]+\("' $call
rows relay/call/names.go '^var events' '^\t\{' $call
for property in reserved scope both relay 'needs\([A-Za-z]*\)' 'checked\([^)]*\)[a-zA-Z]*\)' 'from\([a-zA-Z]*\)'; do
  case $property in *\)) ;; *) property="$property\(\)" ;; esac
  parts relay/call/vocabulary.go "\.$property" "" $call ./relay/route ./relay/deliver
done
parts relay/call/vocabulary.go '^(\s+)moment\(' '\1text(' $call
parts relay/call/names.go 'groups\("[a-z ]+"\)' 'groups("no such group")' $call
parts relay/call/names.go 'tags\("[a-z_ ]+"\)' 'nil' $call

rows render/filter.go '^var filters' '^\t[a-zA-Z]+\("' ./render
parts render/filter.go ', (strings\.To|strings\.Trim|new|number|asJSON|boolean|digest|\(\*instant\))[A-Za-z0-9().]*\),$' ', nil),' ./render
rows render/body.go '^var bodyKinds' '^\t\{' ./render ./relay/route
parts config/service.go ' default:"[^"]*"' '' ./config
parts config/config.go ' default:"[^"]*"' '' ./config
parts config/service.go ',body"' '"' ./relay/route ./config
parts config/binding.go ',scope"' '"' ./config ./relay/route
parts config/service.go ' part:"[a-z]+"' '' ./config ./relay/deliver
for file in config/config.go config/service.go; do
  parts $file ' secret:"[a-z]+"' '' ./config
done
words config/service.go '^func JWTAlgs' '"[A-Z]+[0-9]+", ' ./config
rows config/secrets.go '^var secretKinds' '^\t"' ./config
words config/fingerprint.go '^const SecretNames' '[a-z]+\|' ./config ./relay/deliver
rows config/check_body.go '^var ownHeaders' '^\t"' ./config
rows config/nearest.go '^var elsewhere' '^\t"' ./config
rows config/value.go '^var sizeUnits' '^\t\{' ./config
rows config/service.go '^type Auth struct' '^\t[A-Z]' ./config ./relay/exchange

nets='./relay/exchange -run Guard|Disguise|Metadata'
rows relay/exchange/nets.go '^var metadataNets' '^\t"' "$nets"
rows relay/exchange/nets.go '^var metadataNames' '^\t"' "$nets"
rows relay/exchange/nets.go '^var privateNets' '^\t\{' "$nets"

rows relay/deliver/judge.go '^var reasons' '^\t\{' ./relay/deliver
rows relay/deliver/state.go '^var serviceStates' '^\t\{' ./relay/deliver
rows relay/deliver/state.go '^var breakerStates' '^\t\{' ./relay/deliver
parts relay/deliver/state.go '(Well|Ill), "' 'Doubtful, "' ./relay/deliver
rows relay/deliver/tags.go '^var given' '^\t"' ./relay/deliver
parts relay/deliver/judge.go '"[245]xx", ' '' ./relay/deliver
parts relay/deliver/judge.go 'class(Timeout|Connect|TLS|Fault), ' '' ./relay/deliver
words relay/deliver/soap.go '^var held' '"[a-z]+",' './relay/deliver -run SOAP|Soap|Fault'

rows relay/recordings/kind.go '^var kinds' '^\t\{' ./relay/recordings
rows relay/recordings/kind.go '^var magic' '^\t\{' ./relay/recordings
words relay/recordings/metrics.go '^func newMetrics' '(Outcome[A-Z][a-z]+|[2-5][0-9][0-9])(, )?' './relay/daemon -run Scrape'
words relay/intake/metrics.go '^func newMetrics' 'reason[A-Z][A-Za-z]+,' './relay/daemon -run Scrape'
words relay/web/verdict.go '^func Verdicts' '(Healthy|Degraded|HeldUp), ' ./relay/web
rows relay/web/advice.go '^var advice' '^\t\{' './relay/web -run Advice'
rows relay/web/advice.go '^var statusAdvice' '^\t[0-9]' './relay/web -run Advice'
words relay/manual/manual.go '^func Topics' '"[a-z]+", ' ./relay/manual ./relay/command
words relay/command/help.go '^func groups' '\(\*app\)\.[a-z]+Command, ' './relay/command -run Help|Manual'

echo "$mutants mutants, $survivors of them not caught"
[ $survivors -eq 0 ]
