"""The example in plugin.h compiles as it stands, and greets every user who logs in.

usage: example.py PLUGIN.H FOLDER-OF-PROGRAMS COMPILER FLAG…
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from real_kernel import Kernel


def extract(header):
    """The indented text in the header's first comment, up to the line that compiles it."""
    with open(header, encoding="utf-8") as file:
        comment = file.read().split("*/", 1)[0]
    lines = [line[len(" *     "):] for line in comment.split("\n") if line.startswith(" *     ") or line == " *"]
    program = "\n".join(lines)
    return program[program.index("#include"):program.index("mkdir")]


def main():
    header, programs, compiler, flags = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    with tempfile.TemporaryDirectory(prefix="leat-example-") as folder:
        source, program = os.path.join(folder, "greeter.c"), os.path.join(folder, "Greeter", "Greeter")
        os.mkdir(os.path.dirname(program))
        with open(source, "w", encoding="utf-8") as file:
            file.write(extract(header))
        subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program, source,
                        *flags], check=True)
        help_text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
        assert "--greeting <text>" in help_text and "(default Welcome)" in help_text, help_text
        with open(os.path.join(folder, "kernelconfig.json"), "w", encoding="utf-8") as file:
            json.dump({"port": 0, "bridge": False, "plugins": [
                {"pluginId": "Greeter", "arguments": ["--greeting", "Velkommen"]},
                {"pluginId": "EventSimulator", "autoStart": False}]}, file)
        with Kernel(programs, folder) as kernel:
            kernel.connected("Greeter")
            kernel.type("start EventSimulator --count 1")
            user = kernel.wait_line(r"^\[Plugin:EventSimulator\] Sent UserLoggedInEvent: (.+)$").group(1)
            kernel.wait_line(r"^\[Plugin:Greeter\] Velkommen, %s!$" % re.escape(user))
            kernel.quit()


main()
