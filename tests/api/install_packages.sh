#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# install_packages.sh PACKAGES_DIR CHROOT: for a release, as root. Installs the Debian packages in a clean system, which
# is made in CHROOT by debootstrap (Debian 12, minbase) if there is nothing yet, answers a prompt there, builds a program
# against them, looks at them with lintian, and removes them again.
set -eu
packages=$1 root=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" -eq 0 ] || { echo "install_packages.sh: only root can enter a chroot" >&2; exit 2; }
[ -d "$root/usr" ] || debootstrap --variant=minbase bookworm "$root"
root=$(cd "$root" && pwd)

work=$root/tmp/paligemma
rm -rf "$work"
mkdir -p "$work"
cp "$packages"/*.deb "$source/examples/c/caption.c" "$source/examples/pictures/shapes.png" "$work"
cp -r "$source/examples/tiny/model" "$work"
mounted=
leave() { [ -z "$mounted" ] || umount "$root/proc"; }
trap leave EXIT
trap 'exit 1' INT TERM
mount --bind /proc "$root/proc"
mounted=1

in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    HOME=/root LC_ALL=C.UTF-8 sh -euc "cd /tmp/paligemma; $1"; }
install="apt-get -o Dpkg::Use-Pty=0 install -y --no-install-recommends"

echo "== install the command: $(in_root 'cat /etc/debian_version')"
in_root "apt-get update -q >apt.log && dpkg -l | wc -l && $install ./libpaligemma0_*.deb ./paligemma_*.deb >>apt.log"
in_root "dpkg -l | wc -l; ldconfig -p | grep libpaligemma; paligemma --version; dpkg -s paligemma | grep Depends"
in_root "ldd /usr/bin/paligemma | grep 'not found' && exit 1; true"
echo "== answer"
in_root "paligemma generate -m model -i shapes.png -p 'caption en'"
echo "== build a program"
in_root "$install gcc pkg-config ./libpaligemma-dev_*.deb >>apt.log"
in_root "gcc -Wall -Werror caption.c \$(pkg-config --cflags --libs paligemma) -o caption && ./caption model shapes.png"
echo "== lintian"
lintian_options="--suppress-tags initial-upload-closes-no-bugs" # no upload to Debian
in_root "$install lintian >>apt.log && lintian --version && lintian --fail-on error,warning $lintian_options *.deb"
echo "== remove"
in_root "apt-get -o Dpkg::Use-Pty=0 purge -y libpaligemma0 libpaligemma-dev paligemma >>apt.log; ldconfig"
left=$(find "$root/usr" "$root/etc" -name '*paligemma*')
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }
rm -rf "$work"
echo "installed, used and removed"
