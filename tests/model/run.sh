#!/bin/sh
# usage: run.sh MODEL.pml [BROKEN…]
#
# Searches all states of a model with spin: it must have no error, and the search must be complete. Then once more with each
# BROKEN defined, which takes something from the protocol that it needs: spin must find that, or the model proves nothing.
set -eu

model=$(readlink -f "$1")
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
cd "$folder"

fail() {
        echo "$(basename "$model")${variant:+ with $variant}: $1"
        cat out 2>/dev/null || true
        exit 1
}

# usage: search OPTIMIZATION OPTIONS [-DNAME]
search() {
        optimization=$1
        options=$2
        shift 2
        rm -rf pan* out
        spin -a "$@" "$model" >out 2>&1 || fail "spin does not understand it"
        ${CC:-cc} "$optimization" -w -DSAFETY -DMEMLIM=1800 -o pan pan.c >out 2>&1 || fail "the search does not compile"
        ./pan $options >out 2>&1 || true
        grep -q 'errors: [0-9]' out || fail "the search did not end"
}

variant=
search -O1 '-m1500000 -w24' # -m: so many steps deep; -w: a table for 2^24 states, which takes its time to make.
grep -q 'errors: 0$' out || fail "an error"
if grep -qE 'max search depth too small|out of memory|reached -DMEMLIM|Search not completed' out; then
        fail "not all states were searched"
fi
sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1 states, no error/p' out

for variant; do
        search -O0 '-m50000 -w18' "-D$variant" # Found soon, and not deep: compiling takes longer.
        grep -q 'errors: [1-9]' out || fail "this was not found to be wrong"
        echo "$variant: found"
done
