#!/bin/sh
# cpack's packages: what is in them, and that they can be installed, used and removed again, in a root of their own and without root.
# They are told that this system's packages are in that root, so that what they depend on is checked.
#
# usage: debian.sh BUILD OUTSIDE CC CXX (BUILD: the build tree; OUTSIDE: the sources of programs to compile)
. "$(dirname "$0")/common.sh"
for tool in dpkg dpkg-deb dpkg-shlibdeps man; do
        command -v $tool >/dev/null || { echo "skipped: there is no $tool"; exit 77; }
done

# Each package has the files of its component, and together they have all that is installed.
check_files() {
        cmake --install "$build" --prefix "$scratch/all" >/dev/null
        (cd "$scratch/all" && find . ! -type d) | sort >"$scratch/installed"
        for deb in "$packages"/*.deb; do
                dpkg-deb --fsys-tarfile "$deb" | tar -t | grep -v '/$' | sed 's|^\./usr/|./|'
        done | sort >"$scratch/packaged"
        diff "$scratch/installed" "$scratch/packaged" || fail "installed (<) is not packaged (>)"
        files libleat0 | grep -vE '/libleat(-plugin)?\.so\.0(\.[0-9.]+)?$|/doc/' && fail "libleat0 has more than libraries"
        files leat-kernel | grep -vE '^\./usr/(bin|libexec/leat)/[A-Za-z-]+$|/doc/|/man/' && fail "leat-kernel has more than programs"
        return 0
}

files() {
        dpkg-deb --fsys-tarfile "$packages/$1"_*.deb | tar -t | grep -v '/$'
}

field() {
        dpkg-deb -f "$packages/$1"_*.deb "$2"
}

check_control() {
        [ "$(field libleat0 Version)" = "$version" ] || fail "another version"
        field libleat0 Depends | grep -q 'libc6 (>= ' || fail "libleat0 stands on no libc6"
        field libleat0 Depends | grep -q 'libsodium[0-9]* (>= ' || fail "libleat0 stands on no libsodium"
        field leat-kernel Depends | grep -q 'libjansson[0-9]* (>= ' || fail "leat-kernel stands on no jansson"
        field libleat-dev Depends | grep -q "libleat0 (= $version)" || fail "libleat-dev stands on no libleat0"
        dpkg-deb -I "$packages"/libleat0_*.deb shlibs | grep -q "^libleat 0 libleat0 (>= $version)" || fail "no shlibs"
        # Everything in them is root's, whoever has made them.
        dpkg-deb -c "$packages"/libleat0_*.deb | grep -v ' root/root ' && fail "not root's"
        return 0
}

# usage: in_root ARGUMENT… (of dpkg's). ldconfig, which the packages call, is one that says so.
in_root() {
        PATH="$scratch/bin:$PATH:/usr/sbin:/sbin" dpkg --root="$root" --log="$scratch/log" --force-not-root \
                --force-script-chrootless --path-include='/usr/share/man/*' \
                --path-include='/usr/share/doc/*' "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said"; fail "dpkg $*"; }
}

called() {
        [ -s "$scratch/ldconfig" ] || fail "nobody called ldconfig"
        rm "$scratch/ldconfig"
}

make_root() {
        mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers" "$scratch/bin"
        # Without ours, if this system has them.
        awk -v RS= -v ORS='\n\n' '!/^Package: (libleat0|libleat-dev|leat-kernel)\n/' /var/lib/dpkg/status \
                >"$root/var/lib/dpkg/status"
        printf '#!/bin/sh\necho called >>"%s"\n' "$scratch/ldconfig" >"$scratch/bin/ldconfig"
        chmod +x "$scratch/bin/ldconfig"
}

use_it() {
        library=$(dirname "$(find "$root/usr" -name libleat.so)")
        flags=$(PKG_CONFIG_PATH="$library/pkgconfig" pkg-config --cflags --libs leat)
        # shellcheck disable=SC2086 # a list of words
        "$cc" "$outside/word.c" -o "$scratch/word" $flags
        LD_LIBRARY_PATH="$library" says "$scratch/word" "hello from leat $version"
        "$root/usr/bin/leat-kernel" --version | grep -q "^leat-kernel $version\$" || fail "another leat-kernel"
}

# usage: explains NAME PAGE: `man NAME` finds PAGE, and shows it.
explains() {
        found=$(MANPATH="$root/usr/share/man" man -w "$1") || fail "no manual page for $1"
        [ "$(basename "$(readlink -f "$found")" .gz)" = "$2" ] || fail "man $1 is $found"
        MANPATH="$root/usr/share/man" man "$1" >"$scratch/said" 2>&1 || fail "man $1"
        grep -q "$1" "$scratch/said" || fail "man $1 does not name it: $(cat "$scratch/said")"
}

read_about_it() {
        explains leat leat.7
        explains T_send leat_send.3
        explains leat_sender_send leat_send.3
        explains LEAT_MESSAGE leat_message.3
        explains leat_set_wait leat_set.3
        # And what a page shows is a program.
        MANPATH="$root/usr/share/man" man leat | sed -n 's/^     //; /^\/\* totals\.c/,/^\$/p' | grep -v '^\$' >"$scratch/totals.c"
        # shellcheck disable=SC2086 # a list of words
        "$cc" "$scratch/totals.c" -o "$scratch/totals" $flags
        LD_LIBRARY_PATH="$library" says "$scratch/totals" "the sum is 42"
}

learn_from_it() {
        for program in main worker; do
                # shellcheck disable=SC2086 # a list of words
                "$cc" "$root/usr/share/doc/libleat-dev/examples/tutorial/step5/$program.c" -o "$scratch/$program" $flags
        done
        (cd "$scratch" && LD_LIBRARY_PATH="$library" ./main) >"$scratch/said" || fail "the tutorial's last step: $?"
        grep -q '^the sum is 42, says Bob$' "$scratch/said" || fail "the tutorial's last step says: $(cat "$scratch/said")"
}

packages=$scratch/packages root=$scratch/root
cpack --config "$build/CPackConfig.cmake" -B "$packages" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
[ "$(cd "$packages" && echo *.deb | wc -w)" -eq 3 ] || fail "not three packages: $(ls "$packages")"
check_files
check_control

make_root
in_root --install "$packages"/*.deb
called
in_root --audit libleat0 libleat-dev leat-kernel
[ ! -s "$scratch/said" ] || fail "not all is well: $(cat "$scratch/said")"
use_it
read_about_it
learn_from_it
in_root --install "$packages"/*.deb # Over itself, as an upgrade.
use_it
in_root --remove leat-kernel libleat-dev libleat0
called
in_root --purge leat-kernel libleat-dev libleat0
left=$(cd "$root" && find . -mindepth 1 ! -path './var*')
[ -z "$left" ] || fail "left behind: $left"
for package in leat-kernel libleat-dev libleat0; do
        status=$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Status}' $package 2>/dev/null) || status=not-installed
        [ "$status" = not-installed ] || fail "dpkg says that $package is: $status"
done
