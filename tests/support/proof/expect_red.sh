#!/bin/sh
# usage: expect_red.sh RUN_TEST PROGRAM TEXT SECONDS
# The program must end red in the wrapper, with TEXT in its output. `green` as TEXT expects the contrary.
set -u
output=$("$1" --seconds "$4" "$2" 2>&1)
code=$?
printf '%s\n' "$output"
if [ "$3" = green ]; then
        [ $code -eq 0 ]
        exit
fi
# 98: the wrapper itself is broken.
[ $code -ne 0 ] && [ $code -ne 98 ] || { echo "expect_red: exit code $code"; exit 1; }
case $output in
*"$3"*) exit 0 ;;
esac
echo "expect_red: the output lacks: $3"
exit 1
