# For the tests of this folder: what they share. Sets build, outside, cc, cxx and version, and a folder, scratch, that goes with the test.
set -eu
build=$1 outside=$2 cc=$3 cxx=$4
version=$(sed -n 's/^#define LEAT_VERSION  *"\(.*\)"/\1/p' "$outside/../../../channel/include/leat/version.h")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
        echo "$*" >&2
        exit 1
}

# usage: install_elsewhere FOLDER: staged for one prefix, and then moved to FOLDER.
install_elsewhere() {
        DESTDIR=$scratch/stage cmake --install "$build" --prefix /opt/some >/dev/null
        mv "$scratch/stage/opt/some" "$1"
        # What says where something is says it relative to itself.
        ! grep -rIE "$build|$scratch|/opt/some" "$1" || fail "a place is written down"
}

# usage: says PROGRAM… TEXT
says() {
        for last; do :; done
        while [ $# -gt 1 ]; do
                "$1" >"$scratch/said" || fail "$1: $?"
                [ "$(cat "$scratch/said")" = "$last" ] || fail "$1 says: $(cat "$scratch/said")"
                shift
        done
}

# usage: needs PROGRAM LIBRARY; needs_not PROGRAM LIBRARY
needs() {
        readelf -d "$1" | grep -q "NEEDED.*\[$2\]" || fail "$1 does not need $2"
}
needs_not() {
        ! readelf -d "$1" | grep -q "NEEDED.*\[$2\]" || fail "$1 needs $2"
}
