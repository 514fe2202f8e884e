#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `./dev up` and `./dev test` in a bare Debian 12, as a newcomer would meet it: debootstrap --variant=minbase,
# the checkout below a path with a space in it, every step twice. Opt-in (`./dev bare`), because it fetches
# packages and needs root for chroot and mounts.
#
#   bare_system.sh SOURCE_DIR [root|user|both] [STEP…]     steps: up test build down (default: up up test down)
#
# FL_BARE_DIR   where the roots go (default /var/tmp/faultline-bare); the bootstrapped base is kept there.
# FL_BARE_MIRROR  default: the first one of this machine's apt sources.
set -euo pipefail
unset CDPATH
src=$(cd -- "${1:?usage: $0 SOURCE_DIR [root|user|both] [STEP…]}" && pwd -P)
who=${2:-both}
shift $(($# < 2 ? $# : 2))
steps=("$@")
[ "${#steps[@]}" -gt 0 ] || steps=(up up test down)
dir=${FL_BARE_DIR:-/var/tmp/faultline-bare}

cannot() {
    echo "bare: cannot run here: $*" >&2
    exit 2
}
[ "$(id -u)" -eq 0 ] || cannot "chroot and mounts need root; try: sudo ./dev bare"
command -v debootstrap >/dev/null || cannot "debootstrap is missing: apt-get install debootstrap"
unshare --mount --pid --fork true 2>/dev/null || cannot "unshare --mount --pid is not permitted (a container without CAP_SYS_ADMIN?)"
case $who in root | user | both) ;; *) cannot "unknown user \"$who\": root, user or both" ;; esac

mirror=${FL_BARE_MIRROR:-$(grep -rhoE '(https?|mirror)://[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1 | tr -d ' ' || true)}
mirror=${mirror:-http://deb.debian.org/debian}

mkdir -p "$dir"
if [ ! -e "$dir/base/.complete" ]; then
    echo "== bare: bootstrapping bookworm from $mirror"
    rm -rf -- "$dir/base"
    debootstrap --variant=minbase bookworm "$dir/base" "$mirror" >"$dir/debootstrap.log" 2>&1 || {
        tail -n 5 "$dir/debootstrap.log" >&2
        cannot "debootstrap failed; see $dir/debootstrap.log"
    }
    # The updates and this machine's way to the mirror (proxy, date checks), nothing else of it.
    {
        echo "deb $mirror bookworm main"
        echo "deb $mirror bookworm-updates main"
        echo "deb ${mirror%/debian*}/debian-security bookworm-security main"
    } >"$dir/base/etc/apt/sources.list"
    for conf in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        if [ -f "$conf" ] && grep -qE '^[[:space:]]*Acquire::' "$conf"; then
            grep -E '^[[:space:]]*Acquire::' "$conf" >"$dir/base/etc/apt/apt.conf.d/90bare-${conf##*/}"
        fi
    done
    touch "$dir/base/.complete"
fi

try() { # root|user
    local as=$1 root=$dir/$1
    echo "== bare: as $as: ${steps[*]}"
    rm -rf -- "$root"
    cp -a -- "$dir/base" "$root"
    cp -- /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
    echo "127.0.0.1 localhost $(uname -n)" >"$root/etc/hosts"
    local home=/root
    [ "$as" = root ] || home=/srv/newcomer
    mkdir -p "$root$home/a checkout"
    # The working tree without what is built, as a clone would have it.
    tar -C "$src" --exclude=./build --exclude=./.dev --exclude=./.git -cf - . | tar -C "$root$home/a checkout" -xf -
    cat >"$root/try.sh" <<INNER
set -eu
export LC_ALL=C.UTF-8 CI=true
if [ $as = user ]; then
    apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends sudo
    useradd --home-dir $home --shell /bin/bash newcomer
    chmod 700 $home
    echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/newcomer
    chown -R newcomer: $home
fi
cd '$home/a checkout'
for step in ${steps[*]}; do
    start=\$(date +%s)
    echo "== bare: ./dev \$step as $as"
    if [ $as = user ]; then
        runuser -u newcomer -- env HOME=$home ./dev "\$step" </dev/null
    else
        ./dev "\$step" </dev/null
    fi
    echo "== bare: ./dev \$step as $as took \$((\$(date +%s) - start)) s"
done
for cluster in /var/lib/postgresql/*/main; do
    [ ! -e "\$cluster" ] || { echo "bare: installing made a PostgreSQL cluster nobody asked for: \$cluster"; exit 1; }
done
INNER
    # Own process and mount tables: whatever is left running goes with them. Environment as at a first login.
    unshare --mount --pid --fork --kill-child bash -c '
        set -e
        mount --make-rprivate /
        root=$1
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/tmp"
        exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb bash /try.sh
    ' bare "$root"
    rm -rf -- "$root"
}

case $who in
both)
    try root
    try user
    ;;
*) try "$who" ;;
esac
echo "== bare: all steps passed"
