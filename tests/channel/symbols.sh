#!/bin/sh
# What the headers promise, what the list says and what the library exports are one and the same.
#
# usage: symbols.sh HEADER-FOLDER LIST LIBRARY
set -u
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0

# A declaration may run over lines; its name stands before the first parenthesis.
cat "$1"/*.h | tr '\n' ' ' | grep -oE 'LEAT_PUBLIC [^;()]*\(' | grep -oE 'leat_[a-z0-9_]+ *\($' | tr -d ' (' |
        sort >"$scratch/headers"
sed -n '/^global:/,/^local:/p' "$2" | grep -oE 'leat_[a-z0-9_]+' | sort >"$scratch/list"
nm -D --defined-only "$3" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$scratch/library"

compare() {
        diff "$scratch/$1" "$scratch/$2" >"$scratch/difference" && return
        echo "$1 (<) and $2 (>) differ:"
        grep '^[<>]' "$scratch/difference"
        failures=1
}

[ -s "$scratch/headers" ] || { echo "no LEAT_PUBLIC found in $1"; failures=1; }
compare headers list
compare list library
echo "$(wc -l <"$scratch/library") symbols"
exit $failures
