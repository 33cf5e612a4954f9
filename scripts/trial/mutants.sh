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
survivors=0 mutants=0

# try FILE NAME PACKAGE... runs the tests on what FILE has become, a package at a
# time until one fails, and puts it back.
try() {
  local file=$1 name=$2 package caught=
  shift 2
  if cmp -s "$file" original; then
    echo "$file: $name: nothing was changed" && survivors=$((survivors + 1))
    return
  fi
  mutants=$((mutants + 1))
  for package; do
    go test -failfast "$package" >/dev/null 2>&1 || { caught=1 && break; }
  done
  if [ -z "$caught" ]; then
    echo "$file: $name: SURVIVES ($*)" && survivors=$((survivors + 1))
  fi
  cp original "$file"
}

# rows FILE BEGIN PATTERN PACKAGE...: without each line that has PATTERN, from the
# line with BEGIN to the end of that declaration.
rows() {
  local file=$1 begin=$2 pattern=$3 line
  shift 3
  [[ $file == *$part* ]] || return
  cp "$file" original
  for line in $(awk -v b="$begin" -v p="$pattern" '$0 ~ b {on=1; next} on && /^[})]/ {exit} on && $0 ~ p {print NR}' original); do
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
  for line in $(grep -nE "$pattern" original | cut -d: -f1); do
    sed -E "${line}s~$pattern~$by~" original >"$file"
    try "$file" "$(sed -n "${line}p" original | cut -c1-70): $pattern" "$@"
  done
}

call=./relay/call
rows relay/call/vocabulary.go '^var vocabulary' '^\t\t[a-zT].*(\),|\)\.)$|^\t\tTag' $call
rows relay/call/vocabulary.go '^var operational' '^\t[a-z]+\("' $call
rows relay/call/names.go '^var events' '^\t\{' $call
for property in reserved scope both relay 'needs\([A-Za-z]*\)' 'checked\([^)]*\)[a-zA-Z]*\)' 'from\([a-zA-Z]*\)'; do
  case $property in *\)) ;; *) property="$property\(\)" ;; esac
  parts relay/call/vocabulary.go "\.$property" "" $call ./relay/route ./relay/deliver
done
parts relay/call/vocabulary.go '^\t\tmoment\(' '		text(' $call
parts relay/call/names.go 'groups\("[a-z ]+"\)' 'groups("no such group")' $call
parts relay/call/names.go 'tags\("[a-z_ ]+"\)' 'nil' $call

rows render/filter.go '^var filters' '^\t[a-zA-Z]+\("' ./render
parts render/filter.go ', (strings\.To|strings\.Trim|new|number|asJSON|boolean|digest|\(\*instant\))[A-Za-z0-9().]*\),$' ', nil),' ./render
rows render/body.go '^var bodyKinds' '^\t\{' ./render ./relay/route
parts config/service.go ' default:"[^"]*"' '' ./config
parts config/config.go ' default:"[^"]*"' '' ./config
parts config/service.go ',body`' '`' ./relay/route
parts config/binding.go ',scope`' '`' ./config ./relay/route

rows relay/deliver/judge.go '^var reasons' '^\t\{' ./relay/deliver
rows relay/deliver/state.go '^var serviceStates' '^\t\{' ./relay/deliver
rows relay/deliver/state.go '^var breakerStates' '^\t\{' ./relay/deliver
parts relay/deliver/state.go '(Well|Ill), "' 'Doubtful, "' ./relay/deliver
rows relay/deliver/tags.go '^var given' '^\t"' ./relay/deliver
parts relay/deliver/judge.go '"[245]xx", ' '' ./relay/deliver
parts relay/deliver/judge.go 'class(Timeout|Connect|TLS|Fault), ' '' ./relay/deliver

echo "$mutants mutants, $survivors of them not caught"
[ $survivors -eq 0 ]
