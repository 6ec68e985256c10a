#!/bin/sh
# What is installed is enough: a program is compiled against it and nothing else, with the shared and the static library, and runs.
#
# usage: installed.sh BUILD COMPILER (BUILD: the build tree)
set -eu
build=$1 compiler=$2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$build" --component libraries --prefix "$prefix" >/dev/null
lib=$(dirname "$(find "$prefix" -name libleat.so)")

cat >"$prefix/program.c" <<'TEXT'
#include <leat/leat.h>
LEAT_MESSAGE(word, (string, text));
int main(void)
{
        word_sender tx = { 0 };
        word_receiver rx = { 0 };
        word got;
        int r = word_channel(&tx, &rx);

        if (r == 0)
                r = word_send(tx, &(word){ "hello" }, LEAT_NOW);
        if (r == 0)
                r = word_recv(rx, &got, LEAT_NOW);
        if (r == 0)
                r = strcmp(got.text, "hello");
        word_sender_close(&tx);
        word_receiver_close(&rx);
        return r != 0;
}
TEXT
cat >"$prefix/plugin.c" <<'TEXT'
#include <leat/plugin.h>
int main(int argc, char **argv)
{
        const leat_plugin_program program = { .name = "Nothing", .version = "1", .summary = "Does nothing." };

        return leat_plugin_main(argc, argv, &program, NULL);
}
TEXT
packages="$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) $(pkg-config --libs libsodium)"
cd "$prefix"
"$compiler" -std=c11 -Wall -Wextra -Werror -I include program.c -o shared -L "$lib" -Wl,-rpath,"$lib" -lleat
# shellcheck disable=SC2086 # a list of words
"$compiler" -std=c11 -Wall -Wextra -Werror -I include program.c -o static "$lib/libleat.a" $packages -lpthread
"$compiler" -std=c11 -Wall -Wextra -Werror -I include plugin.c -o plugin -L "$lib" -Wl,-rpath,"$lib" -lleat-plugin -lleat
./shared
./static
./plugin --help | grep -q 'Does nothing.'
echo "installed: $(find include lib* -type f | wc -l) files"
