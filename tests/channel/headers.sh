#!/bin/sh
# The public headers, each alone and first, are strict C11 and C++17 without a warning in every compiler that is here;
# so is a file that uses every kind of field.
#
# usage: headers.sh ROOT FILE… (ROOT: the source tree; FILE: what uses the headers)
set -u
root=$1
shift
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wvla -Werror'
includes="-I$root/channel/include -I$root/kernel/include"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0
compiled=0

# shellcheck disable=SC2086 # lists of words
try() {
        compiled=$((compiled + 1))
        "$@" $warnings $includes -fsyntax-only "$file" || { echo "$1 refuses $label"; failures=$((failures + 1)); }
}

everywhere() {
        for compiler in gcc clang; do
                if command -v $compiler >/dev/null; then try $compiler -std=c11 -Wstrict-prototypes -Wmissing-prototypes; fi
        done
        for compiler in g++ clang++; do
                if command -v $compiler >/dev/null; then try $compiler -x c++ -std=c++17; fi
        done
}

for header in "$root"/channel/include/leat/*.h "$root"/kernel/include/leat/*.h; do
        [ -e "$header" ] || continue
        label="leat/$(basename "$header")"
        file=$scratch/alone.c
        # Twice: the guard holds. Once more behind it, so that the file is never empty.
        printf '#include <%s>\n#include <%s>\nextern int something;\n' "$label" "$label" >"$file"
        everywhere
done
for file; do
        label=$file
        everywhere
done
echo "$compiled compilations, $failures failed"
[ $compiled -gt 0 ] && [ $failures -eq 0 ]
