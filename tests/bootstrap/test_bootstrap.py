"""bootstrap.sh: its words, what it asks of root, and that `run` ends in a kernel with three plugins.

usage: test_bootstrap.py ROOT (the source tree; it is copied, never written to)
"""

import hashlib
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

ROOT = pathlib.Path(sys.argv[1]).resolve()


def environment(stubs=None):
    env = {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"}
    if stubs:
        env["PATH"] = f"{stubs}:{env['PATH']}"
    return env


def bootstrap(*words, root=ROOT, stubs=None):
    return subprocess.run(
        [root / "bootstrap.sh", *words], env=environment(stubs), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def stub(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class Words(unittest.TestCase):
    def test_other_words_print_the_usage_with_exit_code_2(self):
        for words in ([], ["walk"], ["run", "fast"], [""]):
            result = bootstrap(*words)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn("usage: ./bootstrap.sh run", result.stderr)

    def test_help_is_no_mistake(self):
        result = bootstrap("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("usage:", result.stdout)


class Root(unittest.TestCase):
    """With stand-ins for the commands that would change the system. cmake's ends each run."""

    def setUp(self):
        self.stubs = pathlib.Path(tempfile.mkdtemp())
        self.calls = self.stubs / "calls"
        for name in ("apt-get", "sudo"):
            stub(self.stubs, name, f'echo "{name} $*" >>{self.calls}')
        stub(self.stubs, "cmake", "exit 1")

    def called(self):
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def user(self, number):
        stub(self.stubs, "id", f"echo {number}")

    def installed(self, missing=""):
        stub(self.stubs, "dpkg-query", f'for last; do :; done; [ "$last" = "{missing}" ] || echo installed')

    def test_nothing_missing_needs_neither_root_nor_sudo(self):
        self.user(1000)
        self.installed()
        for word in ("run", "test"):
            bootstrap(word, stubs=self.stubs)
        self.assertEqual(self.called(), [])

    def test_a_user_installs_through_sudo_and_only_what_is_missing(self):
        self.user(1000)
        self.installed(missing="ninja-build")
        bootstrap("run", stubs=self.stubs)
        update, install = self.called()
        self.assertRegex(update, "^sudo env DEBIAN_FRONTEND=noninteractive apt-get .*update$")
        self.assertRegex(install, "^sudo env DEBIAN_FRONTEND=noninteractive apt-get .*install .*ninja-build")
        self.assertNotIn("libsodium", install)

    def test_root_needs_no_sudo(self):
        self.user(0)
        self.installed(missing="g++")
        bootstrap("test", stubs=self.stubs)
        self.assertEqual([line.split()[0] for line in self.called()], ["apt-get", "apt-get"])

    def test_run_does_not_install_what_only_tests_need(self):
        self.user(0)
        self.installed(missing="g++")
        bootstrap("run", stubs=self.stubs)
        self.assertEqual(self.called(), [])

    def test_without_root_and_sudo_it_says_what_to_do(self):
        self.user(1000)
        self.installed(missing="cmake")
        (self.stubs / "sudo").unlink()
        for name in ("dirname", "grep"):
            (self.stubs / name).symlink_to(shutil.which(name))
        env = {**environment(), "PATH": str(self.stubs)}
        result = subprocess.run(["/bin/sh", ROOT / "bootstrap.sh", "run"], env=env, capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "as root, run: .*apt-get")


def digest(root):
    """What the source tree holds, without build/."""
    result = {}
    for folder, folders, files in os.walk(root):
        if pathlib.Path(folder) == root:
            folders.remove("build") if "build" in folders else None
        for name in files:
            path = pathlib.Path(folder) / name
            result[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return result


class Run(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp()) / "clone"
        ignore = shutil.ignore_patterns("build", ".git", "__pycache__")
        shutil.copytree(ROOT, self.root, ignore=ignore, symlinks=True)
        # No test uses a fixed port.
        configuration = self.root / "kernel" / "kernelconfig.json"
        text, count = re.subn(r'"port": *\d+', '"port": 0', configuration.read_text())
        self.assertEqual(count, 1)
        configuration.write_text(text)
        self.lines = queue.Queue()
        self.seen = []

    def tearDown(self):
        if self.kernel.poll() is None:
            self.kernel.kill()
        self.kernel.wait()
        self.reader.join()
        self.kernel.stdin.close()
        self.kernel.stdout.close()

    def start(self):
        # What is built from the same sources with optimisation is all the other tests' business: this one need not wait for it.
        for compiler in ("cc", "c++"):
            stub(self.root.parent, compiler, f'exec {shutil.which(compiler)} "$@" -O0 -g0')
        self.kernel = subprocess.Popen(
            [self.root / "bootstrap.sh", "run"],
            env=environment(self.root.parent),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self.reader = threading.Thread(target=lambda: [self.lines.put(line) for line in self.kernel.stdout])
        self.reader.start()

    def expect(self, pattern, seconds):
        """The next line with the pattern; fails when none comes in time."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.fail(f"no line with {pattern!r}; seen:\n{''.join(self.seen[-40:])}")
            self.seen.append(line)
            if re.search(pattern, line):
                return line

    def say(self, line):
        self.kernel.stdin.write(line + "\n")

    def test_run_starts_three_plugins_and_leaves_the_source_tree_clean(self):
        before = digest(self.root)
        self.start()
        self.expect(r"Kernel listening on 127\.0\.0\.1:\d+", 300)
        self.expect(r"^\[Plugin:MetricLogger\] .*\t(UserLoggedIn|DataProcessed)\tSender=EventSimulator\t", 30)
        self.say("list")
        connected = set()
        while len(connected) < 3:
            line = self.expect(r"^\S+ connected=", 30)
            self.assertRegex(line, r"^\S+ connected=True lastseen=\S+ pid=\d+$")
            connected.add(line.split()[0])
        self.assertEqual(connected, {"MetricLogger", "EventSimulator", "Bridge"})
        self.say("quit")
        self.expect("Stopping kernel", 30)
        self.assertEqual(self.kernel.wait(timeout=60), 0)
        self.assertEqual(digest(self.root), before)
        run = self.root / "build" / "release" / "run"
        self.assertTrue((run / "kernel-heartbeats.log").exists())
        self.assertTrue((run / "kernelconfig.json").exists())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
