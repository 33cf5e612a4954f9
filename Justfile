golangci := "v2.15.0"
version := `git describe --tags --always --dirty 2>/dev/null || echo devel`

# list the recipes
default:
    @just --list

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

# run the benchmarks
bench package="./...":
    go test -run '^$' -bench . -benchmem {{package}}

# run the linter, which is installed when missing
lint:
    command -v golangci-lint >/dev/null || go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@{{golangci}}
    PATH="$PATH:$(go env GOPATH)/bin" golangci-lint run ./...

# format all code
fmt:
    gofmt -w config queue render relay

# check what CI checks
check:
    .ci/run

# rewrite the golden files
golden:
    UPDATE_GOLDEN=1 go test ./...

# install bin/relay, the unit and a first configuration on this machine
install: build
    scripts/install

# remove what was built
clean:
    rm -rf bin dist
