#!/usr/bin/env bash
# The tests of identity on a CPU of another kind, aarch64, which QEMU stands in for:
#
#     bash tests/other_cpus.sh [PYTEST-ARGUMENT...]
#
# The wheel is built, and the tests of golden bits, of the twins and of rounding run, or what the
# arguments name, in a tree of this machine's Debian for arm64. The tree lies in a temporary folder
# and goes at the end; with MICROGRAD_ARM64=FOLDER it lies there, stays, and is used again. Takes
# root, for mounts: they lie in a namespace of their own and end with it. Where all this cannot be
# done, the script says why and ends with status 0.
set -euo pipefail

# A namespace of mounts, in which this script starts again.
if [ "${1:-}" != --apart ]; then
    unshare --mount --propagation private true 2>/dev/null || {
        printf '\n=== Skipped: tests on aarch64, which take root and a mount namespace\n'
        exit 0
    }
    exec unshare --mount --propagation private bash "$0" --apart "$@"
fi
shift

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
kept=${MICROGRAD_ARM64:-$work}
tree=$kept/tree
binfmt=/proc/sys/fs/binfmt_misc
handler=micrograd-$$
start=$SECONDS

# Processes in a namespace of their own, which end with this one, however it ends.
apart() { unshare --mount --pid --fork --kill-child "$@"; }

clean() {
    kill -KILL $(cat /proc/$$/task/$$/children) 2>/dev/null && sleep 1
    if [ -e "$binfmt/$handler" ]; then echo -1 >"$binfmt/$handler"; fi
    rm -rf --one-file-system "$work"
}
trap clean EXIT

stage() { printf '\n=== %s (%s s)\n' "$*" $((SECONDS - start)); }

skip() {
    stage "Skipped: tests on aarch64, $1"
    exit 0
}

# The archive that this machine's own apt reads Debian from.
mirror() {
    apt-get indextargets --format '$(SITE)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1
}

# Debian's packages unpacked, without the scripts of theirs that would run at their installation:
# under emulation they take minutes, and neither Python nor gcc needs them.
make_tree() {
    local package path
    rm -rf --one-file-system "$tree"
    mkdir -p "$kept"
    apart debootstrap --foreign --arch=arm64 --variant=minbase \
        --include=ca-certificates,gcc,libc6-dev,python3-dev,python3-venv \
        "$release" "$tree" "$mirror" >"$work/tree.log" 2>&1 || {
        tail -n 20 "$work/tree.log"
        exit 1
    }
    for package in "$tree"/var/cache/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -C "$tree" -x --keep-directory-symlink
        rm "$package"
    done
    rm -rf "$tree/proc"
    mkdir "$tree/proc"
    # How this machine reaches the network, and pip its index.
    for path in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt /etc/pip.conf /etc/xdg/pip \
        "$HOME/.config/pip" "$HOME/.pip"; do
        if [ -e "$path" ]; then cp -rL --parents "$path" "$tree"; fi
    done
    inside python3 -m venv /venv
    touch "$tree/made"
}

# A command in the tree.
inside() {
    apart env -i PATH=/usr/bin:/usr/sbin HOME=/root LC_ALL=C.UTF-8 TMPDIR=/tmp \
        PIP_DISABLE_PIP_VERSION_CHECK=1 bash -c '
            set -e
            mount -t proc proc "$0/proc"
            mount -t tmpfs tmpfs "$0/dev/shm"
            exec chroot "$0" "$@"
        ' "$tree" "$@"
}

# The files of the source tree, but for what a build leaves in it.
copy() {
    tar -C "$root" -c --exclude=./.git --exclude=./build --exclude='*.so' --exclude=./.venv \
        --exclude=__pycache__ "${@:2}" | tar -C "$1" -x
}

[ "$(uname -m)" != aarch64 ] || skip "which this machine is"
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
command -v apt-get >/dev/null || skip "which take a Debian: there is no apt-get"
mirror=$(mirror) || true
[ -n "$mirror" ] || skip "which take a Debian: no source of apt is one"
if ! { command -v debootstrap && command -v qemu-aarch64-static; } >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        debootstrap qemu-user-static; } >/dev/null 2>&1 || skip "as QEMU could not be installed"
fi
mount -t binfmt_misc binfmt_misc "$binfmt" 2>/dev/null ||
    skip "as the kernel runs no programs of other CPUs"
sed "s/^:[^:]*/:$handler/" /usr/lib/binfmt.d/qemu-aarch64.conf >"$binfmt/register"

if [ ! -e "$tree/made" ]; then
    stage "A tree of Debian $release for arm64"
    make_tree
fi
stage "A wheel for $(inside uname -m): $(inside python3 --version), $(inside gcc --version | head -n 1)"
rm -rf "$tree"/{source,tests,wheel}
mkdir "$tree"/{source,tests}
copy "$tree/source" .
copy "$tree/tests" docs tests README.md pyproject.toml
inside /venv/bin/python -m pip wheel -q --no-deps --wheel-dir /wheel /source
inside sh -c '
    /venv/bin/python -m pip uninstall -q -y micrograd-fast
    /venv/bin/python -m pip install -q "$(echo /wheel/*.whl)[test]"
'

stage "The tests on $(inside uname -m)"
if [ $# -eq 0 ]; then
    set -- $(cd "$root" && ls tests/test_{cross,golden,rounded,tape_cross,twins}.py 2>/dev/null)
fi
inside sh -c 'cd /tests && exec /venv/bin/python -m pytest -q -p no:cacheprovider "$@"' sh "$@"
stage "Done"
