"""Compiles programs that stand in a text, with the flags that this house's own code has, against the build tree."""

import subprocess

WARNINGS = "-std=gnu11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()


def compile(root, build, compiler, folder, sources, program, *libraries):
    includes = [f"-I{root}/channel/include", f"-I{root}/kernel/include"]
    link = [f"-L{build}/lib", f"-Wl,-rpath,{build}/lib", *libraries]
    subprocess.run([*compiler, *WARNINGS, *includes, *sources, "-o", program, *link], cwd=folder, check=True)
