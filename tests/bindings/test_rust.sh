#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# examples/rust: the crates' tests against the installed library, formatting, lints and documentation, and the example
# programs. No crate is fetched. Runs also by hand where PKG_CONFIG_PATH and LD_LIBRARY_PATH name the library.
set -eu
folder=$(cd "$(dirname "$0")/../../examples/rust" && pwd)

skip() {
    echo "test_rust.sh: skipped: $1"
    exit 77
}
command -v cargo >/dev/null 2>&1 || skip "cargo is missing (Debian: apt-get install cargo)"
cargo --version >/dev/null 2>&1 || skip "cargo does not run"
case ${PALI_SANITIZE:-} in
*thread*) skip "Rust's standard library is not built for the thread sanitizer, which then takes locks for races" ;;
esac
if ! [ -r /proc/self/status ]; then skip "/proc is missing, which tells how much memory is used"; fi

work=${PALI_TEST_SCRATCH:-$(mktemp -d)}
export CARGO_TARGET_DIR="$work/cargo"
export RUSTDOCFLAGS="-D warnings"
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
# The threads of the tests share the machine: a call takes one, unless it says otherwise.
export OMP_NUM_THREADS=1
cd "$folder"

# A sanitized library needs its runtime in the program before anything else; cargo and rustc themselves run without.
runner=
if [ -n "${PALI_SANITIZE:-}" ]; then
    library="$LD_LIBRARY_PATH/libpaligemma.so"
    runtime=$(ldd "$library" | awk '/lib(clang_rt\.)?asan/ { print $3; exit }')
    [ -n "$runtime" ] || skip "the runtime of the sanitizers ($PALI_SANITIZE) is no shared library that could be preloaded"
    # Freed memory is kept back for a while to find late uses; here it must be little, for memory is measured.
    asan=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1:thread_local_quarantine_size_kb=64
    runner="env LD_PRELOAD=$runtime ASAN_OPTIONS=$asan UBSAN_OPTIONS=halt_on_error=1"
    target=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    export "CARGO_TARGET_${target}_RUNNER=$runner"
fi

echo "== tests"
cargo test --offline --locked --lib --tests
if [ -z "$runner" ]; then
    cargo test --offline --locked --doc
else
    echo "== documentation's examples: left out with sanitizers, as they do not call the library"
fi

echo "== examples"
cargo build --offline --locked --examples
source=${PALI_SOURCE:-$folder/../..}
model=$source/examples/tiny/model
picture=$source/examples/pictures/shapes.png
same() { # same NAME EXPECTED ACTUAL
    if [ "$2" != "$3" ]; then
        printf '%s: expected:\n%s\nbut it says:\n%s\n' "$1" "$2" "$3" >&2
        exit 1
    fi
}
answer() { "${PALI_COMMAND:-paligemma}" generate -m "$model" -i "$1" -p "$2"; }
caption=$(answer "$picture" "caption en")
boxes=$(answer "$picture" "detect circle")
same caption "$caption" "$($runner "$CARGO_TARGET_DIR/debug/examples/caption" "$model" "$picture")"
same stream "$caption
$boxes" "$(printf 'caption en\ndetect circle\n' |
    $runner "$CARGO_TARGET_DIR/debug/examples/stream" "$model" "$picture" 2>/dev/null)"
other=${picture%.png}.jpg
same threads "$(printf '%s: %s\n%s: %s\n' "$other" "$(answer "$other" "caption en")" "$picture" "$caption")" \
    "$($runner "$CARGO_TARGET_DIR/debug/examples/threads" "$model" "$picture" "$other" | sort)"
if $runner "$CARGO_TARGET_DIR/debug/examples/caption" /nowhere "$picture" 2>"$work/error.txt"; then
    echo "caption of no checkpoint succeeds" >&2
    exit 1
fi
grep -q '^caption: .*/nowhere' "$work/error.txt"

# The library is the same for these, so once is enough.
if [ -z "$runner" ]; then
    echo "== documentation"
    cargo doc --offline --locked --no-deps --quiet
    if cargo fmt --version >/dev/null 2>&1; then
        echo "== formatting"
        cargo fmt --check
    else
        echo "SKIPPED: formatting, rustfmt is missing (Debian: apt-get install rustfmt)"
    fi
    if cargo clippy --version >/dev/null 2>&1; then
        echo "== lints"
        cargo clippy --offline --locked --all-targets -- -D warnings
    else
        echo "SKIPPED: lints, clippy is missing (Debian: apt-get install rust-clippy)"
    fi
fi
echo "== done"
