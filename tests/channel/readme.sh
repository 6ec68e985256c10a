#!/bin/sh
# The README's two programs, taken from its text, compiled as it says, and run; what they print is what it shows.
#
# usage: readme.sh README COMPILER INCLUDE-FOLDER LIBRARY-FOLDER [FLAG…]
#
# A block of C whose first line is a comment that begins with a file's name ("/* parent.c: …") is that file.
set -u
readme=$1
compiler=$2
includes=$3
libraries=$4
shift 4
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

awk -v folder="$scratch" '
        /^```/ { inside = !inside; fresh = inside; file = ""; next }
        inside && fresh {
                fresh = 0
                if (match($0, /^\/\* [a-z_]+\.[ch]:/)) file = folder "/" substr($0, 4, RLENGTH - 4)
                if ($0 == "$ ./parent") file = folder "/expected"
                if (file != "" && $0 ~ /^\$/) next
        }
        inside && file != "" { print > file }
' "$readme"
cd "$scratch" || exit 1
for file in protocol.h parent.c worker.c expected; do
        [ -s $file ] || { echo "$readme has no $file"; exit 1; }
done
for program in parent worker; do
        "$compiler" -std=gnu11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "$@" -I"$includes" $program.c \
                -o $program -L"$libraries" -Wl,-rpath,"$libraries" -lleat || exit 1
done
./parent >printed || { echo "parent failed"; exit 1; }
cmp expected printed || { echo "expected:"; cat expected; echo "printed:"; cat printed; exit 1; }
