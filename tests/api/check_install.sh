#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_install.sh BUILD_DIR CONSUMER_DIR CMAKE CC LIBDIR GENERATOR: installs into a scratch prefix, moves it, and builds
# a ten-line program against it through find_package and pkg-config; looks at what the library is linked with.
set -eu
build=$1 consumer=$2 cmake=$3 cc=$4 libdir=$5 generator=$6
scratch=${PALI_TEST_SCRATCH:?}
first=$scratch/first prefix=$scratch/moved
rm -rf "$first" "$prefix" "$scratch/with-cmake" "$scratch/with-pkg-config"

"$cmake" --install "$build" --prefix "$first" >"$scratch/install.log"
mv "$first" "$prefix" # whatever remembers the old place breaks now
if grep -rl "$first" "$prefix"; then
    echo "the files above name the prefix they were installed to" >&2
    exit 1
fi

echo "== find_package(paligemma)"
"$cmake" -S "$consumer" -B "$scratch/with-cmake" -G "$generator" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" >"$scratch/cmake.log"
"$cmake" --build "$scratch/with-cmake" >>"$scratch/cmake.log" || { cat "$scratch/cmake.log" >&2; exit 1; }
"$scratch/with-cmake/consumer"

library=$prefix/$libdir/libpaligemma.so
static=
[ -e "$library" ] || static=--static

echo "== pkg-config $static"
PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
"$cc" -std=c11 "$consumer/consumer.c" -o "$scratch/with-pkg-config" $(pkg-config --cflags --libs $static paligemma)
LD_LIBRARY_PATH=$prefix/$libdir "$scratch/with-pkg-config"

if [ -x "$prefix/bin/paligemma" ]; then
    echo "== the installed command"
    if [ -e /proc/self/exe ]; then
        "$prefix/bin/paligemma" --version
    else # without /proc the loader cannot tell $ORIGIN, by which the command finds its library
        LD_LIBRARY_PATH=$prefix/$libdir "$prefix/bin/paligemma" --version
    fi
fi
[ -z "$static" ] || exit 0

echo "== what the library names"
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
echo "SONAME $soname"
[ "$soname" = libpaligemma.so.0 ] || { echo "the SONAME should be libpaligemma.so.0" >&2; exit 1; }
needed=$(readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
echo "NEEDED $needed" | tr '\n' ' '
echo
for name in $needed; do
    case $name in
    libpng16.so.* | libjpeg.so.* | libdnnl.so.* | libjson-c.so.* | libgomp.so.* | libomp.so* | libiomp5.so | \
        libm.so.* | libc.so.* | libpthread.so.* | ld-linux*) ;;
    *)
        echo "the library should not be linked with $name" >&2
        exit 1
        ;;
    esac
done
# What those bring with them: zlib by libpng; C++ and the OpenCL loader by oneDNN, as Debian builds it.
for name in $(ldd "$library" | sed -n 's/^[[:space:]]*\([^ ]*\.so[^ ]*\).*/\1/p' | sed 's|.*/||'); do
    case " $(echo $needed) linux-vdso.so.1 " in *" $name "*) continue ;; esac
    case $name in
    libz.so.* | libstdc++.so.* | libgcc_s.so.* | libOpenCL.so.* | libdl.so.* | librt.so.* | libpthread.so.* | \
        libm.so.* | libc.so.* | libgomp.so.* | ld-linux*) ;;
    *)
        echo "the library brings $name with it" >&2
        exit 1
        ;;
    esac
done
if ldd "$library" | grep 'not found'; then exit 1; fi
if readelf -d "$library" | grep -E 'RPATH|RUNPATH|TEXTREL'; then
    echo "the library has the entries above" >&2
    exit 1
fi
