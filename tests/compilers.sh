#!/usr/bin/env bash
# The golden bits with the flags that builders give, by gcc and by clang:
#
#     bash tests/compilers.sh [PYTHON]
#
# PYTHON, or $PYTHON, or python3: a CPython with what `pip install -e ".[test]"` brings. The
# extensions are built in a copy of the source tree; nothing in the tree itself changes. Flags that
# may change no bit are followed by the tests of golden bits; at those that would, the sources must
# stop with the reason. Exit status 0 if all is as it should be.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${1:-${PYTHON:-python3}}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MICROGRAD_BACKEND PYTHONPATH CFLAGS LDFLAGS
start=$SECONDS

stage() { printf '\n=== %s (%s s)\n' "$*" $((SECONDS - start)); }

# build COMPILER -O... CFLAGS. setuptools puts CFLAGS before the flags of setup.py, so that an -O
# among them would not count.
build() {
    local compiler=$1 optimize=$2 flags=$3
    sed "s/\"-O3\"/\"$optimize\"/" "$root/setup.py" >setup.py
    CC=$compiler CFLAGS=$flags "$python" setup.py -q build_ext --inplace --force -j 2 \
        >"$work/build.log" 2>&1 || {
        cat "$work/build.log"
        exit 1
    }
}

same_bits() {
    stage "The same bits: $*"
    build "$@"
    PYTHONPATH=$PWD "$python" -m pytest -q -p no:cacheprovider tests/test_golden.py -k "not [ref"
}

# Each of the sources must stop for the reason: refused REASON COMPILER FLAGS SOURCE...
refused() {
    local source
    stage "Refused: $2 $3"
    for source in "${@:4}"; do
        if "$2" $3 -fsyntax-only -I "$include" "$source" 2>"$work/refused.log"; then
            echo "$source compiles"
            exit 1
        fi
        grep -q "error: .*$1" "$work/refused.log" || {
            cat "$work/refused.log"
            exit 1
        }
    done
}

mkdir "$work/tree"
tar -C "$root" -c --exclude=./.git --exclude=./build --exclude='*.so' --exclude=./.venv \
    --exclude=__pycache__ . | tar -C "$work/tree" -x
cd "$work/tree"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')

native="-march=native -ffp-contract=fast"  # of which setup.py takes the second back
same_bits gcc -O0 ""
same_bits gcc -O3 "$native"
same_bits clang -O0 ""
same_bits clang -O3 "$native"

# Every source by itself, as Cython has written it: one alone is enough to change a bit, or to have
# the whole process flush subnormal numbers.
reason="micrograd_fast gives the same bits everywhere"
for flags in -ffast-math "-Ofast -march=native" -ffinite-math-only; do
    refused "$reason" gcc "$flags" micrograd_fast/*.c
    refused "$reason" clang "$flags" micrograd_fast/*.c
done
# A part of them, for which clang has no macro: but it refuses to keep floating-point flags then.
refused "$reason" gcc -funsafe-math-optimizations micrograd_fast/*.c
refused FENV_ACCESS clang -funsafe-math-optimizations micrograd_fast/{engine,nn,optim,tape}.c
stage "All is as it should be"
