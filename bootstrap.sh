#!/bin/sh
# From a fresh clone on a fresh Debian 12 to a running kernel, or to passed tests.
#
# Only the installation of missing packages uses root; when nothing is missing neither root nor sudo is needed. What
# is built goes to build/ and nowhere else.
set -eu

usage() {
        cat <<'TEXT'
usage: ./bootstrap.sh run    install what is missing, build, start the kernel with its three plugins
       ./bootstrap.sh test   install what is missing, build, run all tests
       ./bootstrap.sh bench  install what is missing, build, measure the channels and what they are compared with
       ./bootstrap.sh battery NAME
                             the long form of what `test` samples: see "Batteries" in the README for the names
TEXT
}

build_packages='gcc libc6-dev cmake ninja-build pkgconf libmsgpack-dev libsodium-dev libjansson-dev'
test_packages='g++ clang libclang-rt-dev dpkg-dev libcriterion-dev python3 netcat-openbsd strace procps spin man-db mandoc
        libuv1-dev libglib2.0-dev valgrind'
bench_packages='libglib2.0-dev libnng-dev libzmq3-dev libnanomsg-dev libsystemd-dev g++ libboost-dev iceoryx
        libiceoryx-binding-c-dev'

say() {
        echo "bootstrap: $*" >&2
}

die() {
        say "$*"
        exit 1
}

missing_packages() {
        for package; do
                status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=none
                [ "$status" = installed ] || printf '%s ' "$package"
        done
}

as_root() {
        if [ "$(id -u)" -eq 0 ]; then
                "$@"
        elif command -v sudo >/dev/null 2>&1; then
                sudo "$@"
        else
                die "root is needed to install packages, and there is no sudo: as root, run: $*"
        fi
}

# apt-get must neither ask nor read what is meant for the kernel's console.
apt() {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

install_missing() {
        if ! command -v dpkg-query >/dev/null 2>&1; then
                say "no dpkg here: these Debian packages, or what stands for them, must be there: $*"
                return 0
        fi
        missing=$(missing_packages "$@")
        [ -n "$missing" ] || return 0
        say "installing: $missing"
        apt update || say "the package lists could not be refreshed; trying with those that are here"
        # shellcheck disable=SC2086 # one word a package
        apt install --no-install-recommends $missing || die "installation failed"
}

# usage: build ON|OFF, whether the tests are built too
build() {
        cmake --preset release -DLEAT_TESTS="$1" </dev/null >&2 || die "configuring failed"
        cmake --build --preset release </dev/null >&2 || die "building failed"
}

run() {
        # shellcheck disable=SC2086
        install_missing $build_packages
        build OFF
        folder=$PWD/build/release/run
        mkdir -p "$folder"
        cp kernel/kernelconfig.json "$folder/kernelconfig.json"
        cd "$folder"
        exec ../bin/leat-kernel --config "$folder/kernelconfig.json"
}

run_tests() {
        # shellcheck disable=SC2086
        install_missing $build_packages $test_packages
        build ON
        exec ctest --preset release </dev/null
}

# usage: run_battery NAME
run_battery() {
        # shellcheck disable=SC2086
        install_missing $build_packages $test_packages
        build ON
        exec cmake --build --preset release --target "battery_$1" </dev/null
}

run_benchmarks() {
        # shellcheck disable=SC2086
        install_missing $build_packages $bench_packages
        build OFF
        say "measuring takes about 6 minutes: an overview, then what the channels must reach; leave the machine alone"
        say "for plots: build/release/bin/leat-bench report"
        failed=0
        build/release/bin/leat-bench </dev/null || failed=1
        build/release/bin/leat-bench targets </dev/null || failed=1
        exit $failed
}

case "$# ${1-}" in
"1 run" | "1 test" | "1 bench" | "2 battery") ;;
"1 -h" | "1 --help" | "1 help")
        usage
        exit 0
        ;;
*)
        usage >&2
        exit 2
        ;;
esac
cd "$(dirname "$0")"
case $1 in
run) run ;;
test) run_tests ;;
bench) run_benchmarks ;;
battery) run_battery "$2" ;;
esac
