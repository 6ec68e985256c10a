#!/bin/sh
# The whole fault battery, over each transport.
#
# usage: battery.sh FAULTS-PROGRAM
failed=0
for lanes in never always automatic; do
        echo "LEAT_LANES=$lanes"
        LEAT_LANES=$lanes "$1" || failed=1
done
exit $failed
