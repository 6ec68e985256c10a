#!/bin/sh
# Every name that libleat imports is in the fault battery's list, and none besides: who lets the library call something new says what it
# may fail with, or why it cannot.
#
# usage: calls.sh LIST LIBRARY.a
set -u
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

grep -v '^#' "$1" | awk '{ print $1 }' | sort >"$scratch/list"
nm -u "$2" | awk '$1 == "U" || $1 == "w" { print $2 }' | sort -u >"$scratch/used"
nm --defined-only "$2" | awk 'NF == 3 { print $3 }' | sort -u >"$scratch/defined"
comm -23 "$scratch/used" "$scratch/defined" >"$scratch/imports"

[ -s "$scratch/imports" ] || { echo "$2 imports nothing?"; exit 1; }
grep -v '^#' "$1" | awk 'NF < 2 { print "without a reason: " $0; n = 1 } END { exit n }' || exit 1
missing=$(comm -13 "$scratch/list" "$scratch/imports")
[ -z "$missing" ] || { echo "libleat uses, and $1 does not know:"; echo "$missing"; exit 1; }
# What compilers write for memcmp() and the like differs.
gone=$(comm -23 "$scratch/list" "$scratch/imports" | grep -vE '^(bcmp|memcmp|memchr|mem(cpy|move|set)|str(len|chr|cmp)|__tls_get_addr|_GLOBAL_OFFSET_TABLE_)$')
[ -z "$gone" ] || { echo "$1 has what libleat does not use any more:"; echo "$gone"; exit 1; }
echo "$(wc -l <"$scratch/imports") imports, $(grep -cE '^[a-z_0-9]+ +fails$' "$1") of them fail"
