"""A real leat-kernel in a folder, with its console and what it prints."""

import os
import re
import subprocess
import threading
import time

PATIENCE = 120  # Seconds until what must happen counts as not happening.


class Kernel:
    """Use it as a context manager: the kernel does not outlive the block."""

    def __init__(self, programs, folder):
        self.lines = []
        self.process = subprocess.Popen([os.path.join(programs, "leat-kernel")], cwd=folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def type(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def wait_line(self, pattern, first=0):
        """The first match in a line from number `first` on."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.lines[first:]:
                match = re.search(pattern, line)
                if match:
                    return match
            time.sleep(0.01)
        raise AssertionError("no line with %r in\n%s" % (pattern, "\n".join(self.lines[-200:])))

    def connected(self, plugin, other_than=None):
        """The pid of the connected plugin, once it is there and is another one than that."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            first = len(self.lines)
            self.type("list")
            match = self.wait_line(r"^%s connected=(True|False) lastseen=\S+ pid=(\d+|-)(.*)$" % plugin, first)
            if match.group(3) == " (failed)":
                break
            if match.group(1) == "True" and not match.group(3).strip() and int(match.group(2)) != other_than:
                return int(match.group(2))
            time.sleep(0.05)
        raise AssertionError("%s did not connect:\n%s" % (plugin, "\n".join(self.lines[-200:])))

    def quit(self):
        self.type("quit")
        assert self.process.wait(PATIENCE) == 0, "the kernel's exit code is %d" % self.process.returncode
