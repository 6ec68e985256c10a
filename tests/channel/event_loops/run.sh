#!/bin/sh
# usage: run.sh PROGRAM LOOP
#
# Every message has come by the loop when the program says so; one that was forgotten would let it wait for ever.
said=$("$1") || { echo "it fails, and says: $said"; exit 1; }
expected="$2: 3000 answers, 3000 reports, 30 warnings: success"
[ "$said" = "$expected" ] || { echo "it says: $said"; exit 1; }
