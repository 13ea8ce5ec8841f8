#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test_packages.sh BUILD_DIR CPACK CMAKE CC [PACKAGES_DIR]: the Debian packages of the build in BUILD_DIR, made now or
# lying in PACKAGES_DIR as cmake/build-packages.sh makes them: what they say of themselves, what is in them, and that
# the command and a program built with them run from where they are unpacked. Needs no root.
set -u
build=$1 cpack=$2 cmake=$3 cc=$4 packages=${5-}
scratch=${PALI_TEST_SCRATCH:?} examples=${PALI_TEST_EXAMPLES:?}
here=$(cd "$(dirname "$0")" && pwd)
for tool in dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null 2>&1 || { echo "skipped: $tool is missing (Debian packages dpkg, dpkg-dev)"; exit 77; }
done
checks=0 failures=0
fail() { failures=$((failures + 1)); echo "failed: $*" >&2; }
has() { checks=$((checks + 1)); printf '%s\n' "$2" | grep -qE -e "$1" || fail "$3 lacks $1: $2"; }
lacks() { checks=$((checks + 1)); printf '%s\n' "$2" | grep -qE -e "$1" && fail "$3 has $1: $2"; }

released=$packages
if [ -z "$packages" ]; then
    packages=$scratch/packages
    rm -rf "$packages"
    (umask 022 && "$cpack" --config "$build/CPackConfig.cmake" -G DEB -B "$packages" >"$scratch/cpack.log" 2>&1) ||
        { cat "$scratch/cpack.log" >&2; exit 1; }
fi
tree=$scratch/tree
rm -rf "$tree"
mkdir "$tree"
for name in libpaligemma0 libpaligemma-dev paligemma; do
    set -- "$packages/${name}_"*.deb
    [ $# -eq 1 ] && [ -f "$1" ] || { echo "not one package $name in $packages" >&2; exit 1; }
    dpkg-deb -x "$1" "$tree" || exit 1
    dpkg-deb -c "$1" | awk '$1 !~ /^d/ { print $6 }' | sed 's|^\./||' | sort >"$scratch/$name.files"
    strange=$(dpkg-deb -c "$1" | awk '$2 != "root/root" || ($1 !~ /^l/ && $1 !~ /^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--)$/)')
    [ -z "$strange" ] || fail "$name: owners or permissions of $strange"
    for document in copyright changelog.Debian.gz; do
        has "^usr/share/doc/$name/$document\$" "$(cat "$scratch/$name.files")" "$name"
    done
    has '^Maintainer: .+ <.+@.+>$' "$(dpkg-deb -f "$1")" "$name"
    has '^Description: .{20,80}$' "$(dpkg-deb -f "$1")" "$name"
    lacks '^Description: .*\.$' "$(dpkg-deb -f "$1")" "$name"
done
sort "$scratch"/*.files | uniq -d | grep . >&2 && fail "the files above are in two packages"
field() { dpkg-deb -f "$packages/$1_"*.deb "$2"; }
version=$(field libpaligemma0 Version)
echo "version $version, $(field libpaligemma0 Architecture)"

# ---- what each needs
depends=$(field libpaligemma0 Depends)
echo "libpaligemma0: $depends"
for library in 'libc6 \(>= ' libpng16-16 libjpeg62-turbo libjson-c5 libdnnl 'libgomp1|libomp'; do
    has "$library" "$depends" "libpaligemma0's Depends"
done
lacks 'libpaligemma|stdc|opencl|OpenCL' "$depends" "libpaligemma0's Depends"
depends=$(field paligemma Depends)
echo "paligemma: $depends"
has 'libc6 \(>= ' "$depends" "paligemma's Depends"
has 'libpaligemma0 \(>= ' "$depends" "paligemma's Depends"
lacks 'libpng|libjpeg|libdnnl|libjson' "$depends" "paligemma's Depends"
depends=$(field libpaligemma-dev Depends)
has "libpaligemma0 \\(= $version\\)" "$depends" "libpaligemma-dev's Depends"
rm -rf "$scratch/control"
dpkg-deb -e "$packages/libpaligemma0_"*.deb "$scratch/control" || exit 1
has "^libpaligemma 0 libpaligemma0 \\(>= ${version%-*}" "$(cat "$scratch/control/shlibs")" shlibs
has '^activate-noawait ldconfig$' "$(cat "$scratch/control/triggers")" "libpaligemma0's triggers"
lacks 'postinst|postrm' "$(ls "$scratch/control")" "libpaligemma0, for which the trigger suffices,"

# ---- what is in each
files=$(cat "$scratch/libpaligemma0.files")
has '/libpaligemma\.so\.0$' "$files" libpaligemma0
lacks '/libpaligemma\.so$|include|\.pc$|bin/' "$files" libpaligemma0
files=$(cat "$scratch/libpaligemma-dev.files")
for file in '/libpaligemma\.so$' '^usr/include/paligemma/paligemma\.h$' '/pkgconfig/paligemma\.pc$' \
    '/cmake/paligemma/paligemmaConfig\.cmake$'; do
    has "$file" "$files" libpaligemma-dev
done
lacks '\.so\.0|bin/' "$files" libpaligemma-dev
files=$(cat "$scratch/paligemma.files")
for file in bin/paligemma share/man/man1/paligemma.1.gz share/bash-completion/completions/paligemma \
    share/zsh/vendor-completions/_paligemma share/fish/vendor_completions.d/paligemma.fish; do
    has "^usr/$file\$" "$files" paligemma
done
gzip -cd "$tree/usr/share/man/man1/paligemma.1.gz" | grep -q '^\.Dt PALIGEMMA 1' || fail "the manual page"
gzip -cd "$tree/usr/share/doc/paligemma/changelog.Debian.gz" | grep -q "($version)" || fail "the changelog's version"
library=$(find "$tree/usr/lib" -name 'libpaligemma.so.0' -printf '%h\n')
if command -v readelf >/dev/null 2>&1; then
    lacks '\.symtab' "$(readelf -SW "$library/libpaligemma.so.0")" "the library, which should be stripped,"
    [ -z "$released" ] || lacks 'RPATH|RUNPATH' "$(readelf -dW "$tree/usr/bin/paligemma")" "the command"
fi

# ---- the unpacked tree at work
model=$examples/tiny/model picture=$examples/pictures/shapes.png
LD_LIBRARY_PATH=$library "$tree/usr/bin/paligemma" generate -m "$model" -i "$picture" -p "caption en" >"$scratch/unpacked"
"$build/bin/paligemma" generate -m "$model" -i "$picture" -p "caption en" >"$scratch/built"
checks=$((checks + 3))
[ -s "$scratch/built" ] && cmp -s "$scratch/built" "$scratch/unpacked" || fail "the unpacked command says something else"
# shellcheck disable=SC2046
PKG_CONFIG_PATH=$library/pkgconfig PKG_CONFIG_LIBDIR=$library/pkgconfig sh -c '
    "$1" -std=c11 "$2" -o "$3" $(pkg-config --cflags --libs paligemma)' - "$cc" "$here/consumer/consumer.c" \
    "$scratch/by-hand" && LD_LIBRARY_PATH=$library "$scratch/by-hand" || fail "pkg-config and the unpacked library"
rm -rf "$scratch/consumer"
"$cmake" -S "$here/consumer" -B "$scratch/consumer" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$tree/usr" \
    -DCMAKE_LIBRARY_ARCHITECTURE="$(basename "$library")" >"$scratch/log" && "$cmake" --build "$scratch/consumer" >>"$scratch/log" &&
    "$scratch/consumer/consumer" || { fail "find_package and the unpacked library"; cat "$scratch/log" >&2; }

# ---- Debian's own opinion, of packages that were built for it
if [ -n "$released" ] && command -v lintian >/dev/null 2>&1; then
    # The suppressed tag is about uploads to Debian.
    lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$packages"/*.deb || fail "lintian"
elif [ -n "$released" ]; then
    echo "no lintian: left out"
fi
echo "test_packages: $checks checks, $failures failed"
[ $failures -eq 0 ]
