#!/bin/sh
# pkg-config, in an installed tree that was moved; --static is for programs without any shared library.
#
# usage: pkg_config.sh BUILD OUTSIDE CC CXX (BUILD: the build tree; OUTSIDE: the sources)
. "$(dirname "$0")/common.sh"
install_elsewhere "$scratch/moved"
library=$(dirname "$(find "$scratch/moved" -name libleat.so)")
export PKG_CONFIG_PATH="$library/pkgconfig"

# usage: compile OUTPUT SOURCES… -- PACKAGE [OPTION…] (options of pkg-config's)
compile() {
        output=$1 sources='' compiler="$cc -std=c11" options='' static=''
        shift
        while [ "$1" != -- ]; do
                sources="$sources $outside/$1"
                case $1 in *.cpp) compiler="$cxx -std=c++17" ;; esac
                shift
        done
        shift
        case $* in *--static*) static=-static ;; esac
        options="$(pkg-config --cflags --libs "$@")"
        # shellcheck disable=SC2086 # lists of words
        $compiler -Wall -Wextra -Werror $sources -o "$output" $static $options -Wl,-rpath,"$library"
}

[ "$(pkg-config --modversion leat leat-plugin)" = "$version
$version" ] || fail "another version"
cd "$scratch"
compile shared word.c -- leat
compile static word.c namesakes.c -- --static leat
compile shared++ word.cpp -- leat
compile static++ word.cpp -- --static leat
compile plugin plugin.c -- leat-plugin
compile plugin-static plugin.c -- --static leat-plugin
says ./shared ./static ./shared++ ./static++ "hello from leat $version"
needs ./shared libleat.so.0
needs ./shared++ libleat.so.0
needs ./plugin libleat-plugin.so.0
for program in static static++ plugin-static; do
        ! readelf -d $program | grep NEEDED || fail "$program is not static"
done
for plugin in ./plugin ./plugin-static; do
        "$plugin" --help | grep -q 'Does nothing.'
done
