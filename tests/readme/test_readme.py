"""The README's programs, taken from its text, compiled as it says, and run.

usage: test_readme.py ROOT BUILD COMPILER [FLAG…]
"""

import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import extract
from compile import compile

ROOT = pathlib.Path(sys.argv[1])
BUILD = pathlib.Path(sys.argv[2])
COMPILER = sys.argv[3:]
FILES = extract.files((ROOT / "README.md").read_text())


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, *names):
        for name in names:
            self.assertIn(name, FILES, "the README has no such file")
            (self.folder / name).write_text(FILES[name])

    def compile(self, source, program, *libraries):
        compile(ROOT, BUILD, COMPILER, self.folder, [source], program, *libraries)


class TwoPrograms(Readme):
    def test_the_parent_prints_what_the_readme_shows(self):
        self.write("protocol.h", "parent.c", "worker.c")
        for program in ("parent", "worker"):
            self.compile(f"{program}.c", program, "-lleat")
        result = subprocess.run(["./parent"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, FILES["./parent"])


class SmallPrograms(Readme):
    def runs_as_shown(self, program):
        self.write(f"{program}.c")
        self.compile(f"{program}.c", program, "-lleat")
        for lanes in ("automatic", "always", "never"):
            result = subprocess.run(
                [f"./{program}"], cwd=self.folder, capture_output=True, text=True, env=os.environ | {"LEAT_LANES": lanes}
            )
            self.assertEqual((lanes, result.returncode, result.stderr), (lanes, 0, ""))
            self.assertEqual(result.stdout, FILES[f"./{program}"])

    def test_many_messages_are_sent_at_once(self):
        self.runs_as_shown("batch")

    def test_frames_are_filled_and_read_in_place(self):
        self.runs_as_shown("frames")

    def test_a_program_is_started_with_a_channel_in_its_hands(self):
        self.runs_as_shown("squares")

    def test_a_routers_thread_answers(self):
        self.runs_as_shown("router")

    def test_a_server_serves_a_crowd(self):
        self.runs_as_shown("crowd")


class Declarations(Readme):
    def test_the_header_of_all_declarations_compiles(self):
        self.write("shapes.h")
        (self.folder / "use.c").write_text('#include "shapes.h"\nint main(void) { return !draw_schema(); }\n')
        self.compile("use.c", "use", "-lleat")
        subprocess.run(["./use"], cwd=self.folder, check=True)


@unittest.skipUnless((BUILD / "bin" / "leat-kernel").exists(), "the kernel is not built")
class Kernel(Readme):
    def start(self):
        self.kernel = subprocess.Popen(
            [BUILD / "bin" / "leat-kernel", "--config", "kernelconfig.json"],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self.lines = queue.Queue()
        self.seen = []
        self.reader = threading.Thread(target=lambda: [self.lines.put(line) for line in self.kernel.stdout])
        self.reader.start()
        self.addCleanup(self.stop)
        return int(self.expect(r"Kernel listening on 127\.0\.0\.1:(\d+)")[1])

    def stop(self):
        self.kernel.stdin.write("quit\n")
        self.kernel.stdin.close()
        code = self.kernel.wait(timeout=60)
        self.reader.join()
        self.kernel.stdout.close()
        self.assertEqual(code, 0)

    def expect(self, pattern):
        end = time.monotonic() + 30
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.fail(f"no line with {pattern!r}; seen:\n{''.join(self.seen)}")
            self.seen.append(line)
            if match := re.search(pattern, line):
                return match

    def test_the_plugin_in_c_greets(self):
        self.write("greeter.c", "kernelconfig.json")
        self.compile("greeter.c", "Greeter", "-lleat-plugin", "-lleat")
        self.start()
        self.expect(r"^\[Plugin:Greeter\] Hello, simuser\d+!$")

    def test_the_plugin_in_python_is_heard_and_hears(self):
        self.write("client.py")
        configuration = FILES["kernelconfig.json"].replace('"Greeter"', '"MetricLogger"')
        (self.folder / "kernelconfig.json").write_text(configuration)
        port = self.start()
        self.expect(r"^\[Plugin:MetricLogger\] .*\tSender=EventSimulator\t")
        command = [sys.executable, "client.py", str(port)]
        output = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True, timeout=60).stdout
        self.assertRegex(output, r"^welcome: {'OK': True, 'Received': '[0-9a-f-]{36}'}\nheard from EventSimulator {'")
        self.expect(r"^\[Plugin:MetricLogger\] .*\tSender=PythonClient\tUserId=1\tUsername=ada\t")


if __name__ == "__main__":
    os.environ.pop("LEAT_KERNEL", None)
    unittest.main(argv=[sys.argv[0], "-v"])
