#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The Go package: gofmt, go vet, its tests and examples under the race detector (with a sanitized library: under that
# sanitizer), and a module of somebody else's that uses it. Without a network: it depends on nothing.
set -eu
for candidate in "${PALI_GO:-go}" /usr/lib/go/bin/go /usr/local/go/bin/go; do
    go=$(command -v "$candidate" 2>/dev/null) && break
done
if [ -z "${go:-}" ]; then
    echo "bindings.go: no go (apt-get install golang)"
    exit 77
fi
if ! command -v "${CC:-cc}" >/dev/null 2>&1 || ! command -v pkg-config >/dev/null 2>&1; then
    echo "bindings.go: cgo needs a C compiler and pkg-config (apt-get install gcc pkg-config)"
    exit 77
fi
PATH=$(dirname "$go"):$PATH
export PATH GOTOOLCHAIN=local GOPROXY=off GOWORK=off GO111MODULE=on GOFLAGS=-buildvcs=false CGO_ENABLED=1
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive TMPDIR="$PALI_TEST_SCRATCH"
[ -n "${GOCACHE:-}" ] || [ -n "${XDG_CACHE_HOME:-}" ] || [ -n "${HOME:-}" ] || export GOCACHE="$PALI_TEST_SCRATCH/cache"

case ${PALI_SANITIZE:-} in
*thread*)
    # Go's own race detector is another copy of the thread sanitizer; cgo works with the compiler's.
    flags=
    export CGO_CFLAGS="-O2 -g -fsanitize=thread" CGO_LDFLAGS="-fsanitize=thread"
    export CC=clang
    ;;
*address*)
    flags=-asan
    export CC="${CC:-gcc}" # of which go wants to know that it is gcc or clang
    # What the sanitizer keeps back, to notice its use, is no growth of ours.
    export ASAN_OPTIONS="${ASAN_OPTIONS:-}:quarantine_size_mb=8"
    ;;
*) flags=-race ;;
esac
export PALI_GO_BUILD_FLAGS="$flags"

cd "$PALI_SOURCE/examples/go"
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
    echo "gofmt would change: $unformatted"
    exit 1
fi
go version
go vet ./...
# shellcheck disable=SC2086
go test $flags -count=1 -timeout=600s ${PALI_GO_TEST_FLAGS:-} ./...
if [ "$flags" = -race ]; then
    # The race detector has memory of its own, so what the process needs is measured without it.
    go test -count=1 -timeout=300s -v -run='TestMemoryIsConstant|TestThreadsDoNotAddUp' .
fi

# As docs/go.md says to do it.
user=$PALI_TEST_SCRATCH/user
rm -rf "$user"
mkdir -p "$user"
cd "$user"
cat >main.go <<'END'
package main

import (
	"fmt"

	"libpaligemma/paligemma"
)

func main() { fmt.Println(paligemma.Version()) }
END
go mod init example.com/user 2>/dev/null
go mod edit -require=libpaligemma/paligemma@v0.0.0 -replace="libpaligemma/paligemma=$PALI_SOURCE/examples/go"
# shellcheck disable=SC2086
go build $flags -o user .
[ "$(./user)" = "$("$PALI_COMMAND" --version | awk '{ print $NF }')" ] || {
    echo "another module that uses the package says it is $(./user)"
    exit 1
}
