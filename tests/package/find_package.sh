#!/bin/sh
# find_package(leat) and find_package(leat-plugin), in an installed tree that was moved.
#
# usage: find_package.sh BUILD OUTSIDE CC CXX (BUILD: the build tree; OUTSIDE: the project)
. "$(dirname "$0")/common.sh"
install_elsewhere "$scratch/moved"

readelf -d "$scratch/moved"/lib*/libleat.so | grep -q 'SONAME.*\[libleat\.so\.0\]' || fail "another SONAME"
readelf -d "$scratch/moved"/lib*/libleat-plugin.so | grep -q 'SONAME.*\[libleat-plugin\.so\.0\]' || fail "another SONAME"

cmake -S "$outside" -B "$scratch/built" -DCMAKE_PREFIX_PATH="$scratch/moved" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_CXX_COMPILER="$cxx" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
cmake --build "$scratch/built" --parallel 2 >"$scratch/log" || { cat "$scratch/log"; exit 1; }
cd "$scratch/built"
says ./shared ./static ./shared++ ./static++ "hello from leat $version"
needs ./shared libleat.so.0
needs_not ./static libleat.so.0
needs ./shared++ libleat.so.0
needs_not ./static++ libleat.so.0
for plugin in ./plugin ./plugin-static; do
        "$plugin" --help | grep -q 'Does nothing.'
done
needs ./plugin libleat-plugin.so.0
needs_not ./plugin-static libleat-plugin.so.0
