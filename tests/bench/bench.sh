#!/bin/sh
# leat-bench measures both peers both ways, and says in one line what is wrong with its arguments.
#
# usage: bench.sh PROGRAM
set -u
failures=0

fail() {
        echo "$*"
        failures=1
}

output=$("$1" --seconds 0.02 --rounds 3) || fail "exit code $?"
printf '%s\n' "$output"
for word in machine: kernel: pinning: 'one way' 'round trip' messages/s 'socket pair' Leat; do
        case $output in
        *"$word"*) ;;
        *) fail "the output lacks: $word" ;;
        esac
done
"$1" --help | grep -q -e '--rounds' || fail "no help"

# Each line is one wrong command line.
while read -r arguments; do
        # shellcheck disable=SC2086 # several words
        output=$("$1" $arguments 2>&1)
        code=$?
        [ $code -eq 2 ] || fail "$arguments: exit code $code"
        [ "$(printf '%s\n' "$output" | wc -l)" -eq 1 ] || fail "$arguments: not one line: $output"
        [ -n "$output" ] || fail "$arguments: nothing said"
done <<'TEXT'
--seconds 0
--seconds
--seconds x
--seconds nan
--rounds 0
--rounds 1.5
--rounds 1001
--cores 1
--cores 1,2,3
--nonsense
-x
word
TEXT
exit $failures
