version := `git describe --tags --always --dirty 2>/dev/null || echo devel`

# list the recipes
default:
    @"{{just_executable()}}" --list

# build bin/relay
build:
    go build -trimpath -ldflags "-X main.version={{version}}" -o bin/ ./relay

# run the relay with the example configuration
run *args:
    go run ./relay run {{args}}

# show a relay at work
demo:
    go run ./relay demo --once

# run all tests
test:
    go test ./...

# run all tests with the race detector, in random order
test-race:
    go test -race -shuffle=on ./...

# fuzz one target for a while, e.g. just fuzz ./relay/call FuzzDecode
fuzz package target time="1m":
    go test {{package}} -run '^$' -fuzz '^{{target}}$' -fuzztime {{time}}

# fuzz every target for a while, one after the other
fuzz-all time="10m":
    go test -list '^Fuzz' ./... | awk '/^Fuzz/ { f[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, f[i]; n = 0 }' | \
        while read -r package target; do go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime {{time}} || exit 1; done

# measure the relay beside the machine's limits, in one run (-only deliver -scale 0.1 for a quick look)
bench *args:
    go run ./scripts/trial/bench {{args}}

# run the benchmarks of one package, e.g. just gobench ./render
gobench package="./...":
    go test -run '^$' -bench . -benchmem {{package}}

# compare the benchmarks of two commits, e.g. just compare main~5 main ./render
compare old new package="./...":
    scripts/trial/compare {{old}} {{new}} {{package}}

# hold the promises against the built binary
e2e:
    go test -count=1 -v ./scripts/trial/e2e

# do to the relay what a bad night does, power cuts too where fuse3 and ../shared/tools/powerfs are there
faults:
    FAULTS=long go test -count=1 -v -timeout 60m ./scripts/trial/faults

# do to the relay what strangers do, and print the table of the manual's page on security
strangers:
    STRANGERS=long go test -count=1 -v ./scripts/trial/strangers

# play to the relay what a FreeSWITCH said, with cuts, stalls, restarts and kills
eventsocket:
    EVENTSOCKET=long go test -count=1 -v ./scripts/trial/eventsocket
    EVENTSOCKET=long go test -count=1 -run TestGaps ./relay/source/freeswitch

# run beside a real Asterisk with SIPp callers and agents; needs root, apt and ../shared/tools/callserver
callserver *args:
    scripts/trial/callserver/run.sh {{args}}

# run under load and random faults, e.g. just soak 2h
soak for="10m":
    go run ./scripts/trial/soak -for {{for}}

# prove what the README says of a hub over many edges, with a nats-server and 100 of them
hub *args:
    go run ./scripts/trial/hub {{args}}

# prove what the README says of a cluster, with three nats-server; or run a command against them, e.g. just cluster go test ./queue
cluster *args:
    go run ./scripts/trial/cluster {{args}}

# run the linter, pinned in .ci/tools.mod
lint:
    go tool -modfile=.ci/tools.mod golangci-lint run ./...

# format all code
fmt:
    gofmt -w config queue render relay scripts

# check what CI checks
check:
    .ci/run

# rewrite the golden files
golden:
    UPDATE_GOLDEN=1 go test ./...

# build the Debian package, dist/relay_*.deb
package:
    scripts/packaging/build

# try the package under Debian's systemd and dpkg, as root, in namespaces of its own
try-package: package
    scripts/packaging/try

# build the container with buildah and try it with podman, as root
try-container:
    scripts/packaging/try-container

# check the alerts and the dashboard against a running relay
monitoring:
    go test -count=1 -v ./scripts/monitoring

# prove the relay against npm's SOAP server and Standard Webhooks, nginx, a token server and promtool
peers *args:
    scripts/trial/peers/run.sh {{args}}

# install the relay, its unit and a first configuration on a machine without dpkg
install: build
    scripts/packaging/install

# remove what install installed, but for configuration, queue and user
uninstall:
    scripts/packaging/uninstall

# remove what was built
clean:
    rm -rf bin dist
