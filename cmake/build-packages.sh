#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# build-packages.sh BUILD_DIR [cmake option…]: the Debian packages libpaligemma0, libpaligemma-dev and paligemma into
# BUILD_DIR/packages, compiled with the flags that Debian compiles its own packages with.
set -eu
build=$1
shift
source=$(cd "$(dirname "$0")/.." && pwd)
for tool in dpkg-buildflags dpkg-shlibdeps; do
    command -v $tool >/dev/null || { echo "build-packages.sh: $tool is missing (Debian package dpkg-dev)" >&2; exit 1; }
done
generator="Unix Makefiles"
if command -v ninja >/dev/null 2>&1; then generator=Ninja; fi

flags="$(dpkg-buildflags --get CPPFLAGS) $(dpkg-buildflags --get CFLAGS) -ffile-prefix-map=$source=."
export DEB_BUILD_MAINT_OPTIONS="hardening=+bindnow"
cmake -S "$source" -B "$build" -G "$generator" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
    -DCMAKE_SKIP_INSTALL_RPATH=ON -DPALIGEMMA_BUILD_TESTS=OFF -DPALIGEMMA_BUILD_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS="$flags" -DCMAKE_SHARED_LINKER_FLAGS="$(dpkg-buildflags --get LDFLAGS)" \
    -DCMAKE_EXE_LINKER_FLAGS="$(dpkg-buildflags --get LDFLAGS)" "$@"
cmake --build "$build" --parallel "$(nproc 2>/dev/null || echo 2)"
rm -rf "$build/packages"
(umask 022 && cpack --config "$build/CPackConfig.cmake" -G DEB -B "$build/packages")
rm -rf "$build/packages/_CPack_Packages"
