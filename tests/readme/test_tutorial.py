"""The tutorial: each step is compiled as its text says, prints what it shows, and differs little from the one before.

usage: test_tutorial.py ROOT BUILD COMPILER [FLAG…]
"""

import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from compile import compile

ROOT = pathlib.Path(sys.argv[1])
BUILD = pathlib.Path(sys.argv[2])
COMPILER = sys.argv[3:]
TUTORIAL = ROOT / "channel" / "examples" / "tutorial"
STEPS = re.split(r"^## Step \d: ", (TUTORIAL / "README.md").read_text(), flags=re.MULTILINE)[1:]
FILES = ("protocol.h", "main.c", "worker.c")
MOST_CHANGES = 60  # Lines added and lines taken away, from one step to the next.


def lines(step, name):
    return (TUTORIAL / f"step{step}" / name).read_text().splitlines()


class Steps(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def compile_as_told(self, text):
        commands = re.findall(r"^    cc (.*) -o (\w+) (-pthread )?\$\(pkg-config --cflags --libs leat\)$", text, re.MULTILINE)
        self.assertTrue(commands)
        for sources, program, threads in commands:
            compile(ROOT, BUILD, COMPILER, self.folder, sources.split(), program, *threads.split(), "-lleat")

    def run_step(self, step):
        text = STEPS[step - 1]
        shutil.copytree(TUTORIAL / f"step{step}", self.folder, dirs_exist_ok=True)
        self.compile_as_told(text)
        shown = re.search(r"^```\n\$ (\./main)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for lanes in ("automatic", "always", "never"):
            result = subprocess.run(
                [shown[1]], cwd=self.folder, capture_output=True, text=True, env=os.environ | {"LEAT_LANES": lanes}
            )
            self.assertEqual((lanes, result.returncode, result.stderr), (lanes, 0, ""))
            self.assertEqual(result.stdout, shown[2])

    def test_there_are_five_and_each_has_its_three_files(self):
        self.assertEqual(len(STEPS), 5)
        for step in range(1, 6):
            self.assertEqual({file.name for file in (TUTORIAL / f"step{step}").iterdir()}, set(FILES))

    def test_step_1_is_a_queue_between_two_threads(self):
        self.run_step(1)

    def test_step_2_has_answers(self):
        self.run_step(2)

    def test_step_3_is_two_processes(self):
        self.run_step(3)

    def test_step_4_is_two_programs(self):
        self.run_step(4)

    def test_step_5_passes_channels_over_channels(self):
        self.run_step(5)

    def test_a_step_changes_little(self):
        for step in range(2, 6):
            changes = [
                line
                for name in FILES
                for line in difflib.ndiff(lines(step - 1, name), lines(step, name))
                if line[:2] in ("+ ", "- ")
            ]
            print(f"step {step - 1} to {step}: {len(changes)} lines", file=sys.stderr)
            self.assertLessEqual(len(changes), MOST_CHANGES)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
