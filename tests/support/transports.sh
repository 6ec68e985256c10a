# usage: sh transports.sh PROGRAM [ARGUMENT…]
# Runs a test over every transport, as CTest does.
set -eu
for lanes in never always automatic; do
        echo "LEAT_LANES=$lanes"
        LEAT_LANES=$lanes "$@"
done
