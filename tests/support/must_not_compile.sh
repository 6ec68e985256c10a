#!/bin/sh
# Shows that a mistake does not compile, in every compiler that is here and without any flag.
#
# usage: must_not_compile.sh FILE "C CXX" [-Ifolder…]
#
# FILE must compile as it is, and must not with -DMISTAKE. The line with the mistake carries the words MUST FAIL HERE,
# and the compiler has to blame that line: a snippet that breaks for another reason proves nothing.
set -u
file=$1
languages=$2
shift 2
line=$(grep -n 'MUST FAIL HERE' "$file" | cut -d: -f1)
failures=0
compilers=0

say() {
        echo "$*" >&2
        failures=$((failures + 1))
}

try() {
        compilers=$((compilers + 1))
        if ! "$@" -fsyntax-only "$file"; then
                say "$1: the snippet without the mistake does not compile"
        elif output=$("$@" -fsyntax-only -DMISTAKE "$file" 2>&1); then
                say "$1: the mistake compiles"
        elif ! printf '%s\n' "$output" | grep -q "$(basename "$file"):$line:.*error"; then
                say "$1: fails, but not in line $line:"
                say "$output"
        else
                echo "$1: refused as it should be"
        fi
}

[ -n "$line" ] || { say "$file has no line with MUST FAIL HERE"; exit 1; }
for language in $languages; do
        case $language in
        C)
                for compiler in gcc clang; do
                        if command -v $compiler >/dev/null; then try $compiler "$@"; fi
                done
                ;;
        CXX)
                for compiler in g++ clang++; do
                        if command -v $compiler >/dev/null; then try $compiler -x c++ -std=c++17 "$@"; fi
                done
                ;;
        esac
done
[ $compilers -gt 0 ] || { say "no compiler found"; exit 1; }
[ $failures -eq 0 ]
