"""A kernel under test: its process, its console, what it printed, and TCP clients of its bridge.

Every wait ends after 30 s, so a test that hangs fails; none fails because a machine is slow. Only processes that were
started here are ever signalled.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

PATIENCE = 30.0
KERNEL = ""
PLUGIN = ""


def wait_until(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {patience:.0f} s: {what}")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def is_sanitized():
    """Whether the kernel was built with a sanitizer: then it is slow and large, and numbers say nothing."""
    with open(KERNEL, "rb") as program:
        text = program.read()
    return b"__asan_init" in text or b"__tsan_init" in text


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return [int(child) for child in children.read().split()]
    except OSError:
        return []


class Kernel:
    """Runs leat-kernel in `folder` with the configuration, given as an object or as text."""

    def __init__(self, folder, configuration, *arguments, **popen):
        self.folder = folder
        if configuration is not None:
            text = configuration if isinstance(configuration, str) else json.dumps(configuration, indent=2)
            with open(os.path.join(folder, "kernelconfig.json"), "w", encoding="utf-8") as file:
                file.write(text)
        popen.setdefault("stdin", subprocess.PIPE)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.STDOUT)
        self.process = subprocess.Popen([KERNEL, *arguments], cwd=folder, **popen)
        self.lines = []
        self.pids = set()
        self.reader = None
        if self.process.stdout:
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "surrogateescape").rstrip("\n"))

    @property
    def text(self):
        return "\n".join(self.lines)

    def type(self, line):
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()

    def wait_line(self, pattern, after=0):
        """The first line from `after` on that the pattern is found in; returns (match, index of the line behind it)."""
        expression = re.compile(pattern)

        def look():
            for i, line in enumerate(self.lines[after:], after):
                match = expression.search(line)
                if match:
                    return match, i + 1
            if self.process.poll() is not None and not self.reader.is_alive():
                raise AssertionError(f"the kernel has ended, without a line like {pattern!r}:\n{self.text}")
            return None

        try:
            return wait_until(look, f"a line like {pattern!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text}") from None

    def port(self):
        return int(self.wait_line(r"^Kernel listening on 127\.0\.0\.1:(\d+)$")[0].group(1))

    def list(self):
        """What `list` says now: id -> (connected, pid or None, rest of the line)."""
        mark = f"end-of-list-{uuid.uuid4().hex[:8]}"
        after = len(self.lines)
        self.type("list")
        self.type(mark)
        end = self.wait_line(f"Unknown command '{mark}'", after)[1]
        rows = {}
        for line in self.lines[after:end]:
            match = re.match(r"(.+) connected=(True|False) lastseen=(\S+) pid=(\d+|-)(.*)$", line)
            if match:
                pid = None if match.group(4) == "-" else int(match.group(4))
                rows[match.group(1)] = (match.group(2) == "True", pid, match.group(5).strip())
                if pid:
                    self.pids.add(pid)
        return rows

    def wait_connected(self, plugin, other_than=None):
        """Waits until the plugin is connected, with a pid that is not `other_than`; returns the pid."""

        def look():
            row = self.list().get(plugin)
            return row if row and row[0] and row[2] == "" and row[1] != other_than else None

        return wait_until(look, f"{plugin} connected")[1]

    def wait_exit(self):
        code = self.process.wait(PATIENCE)
        if self.reader:
            self.reader.join(PATIENCE)
        return code

    def quit(self):
        self.list()
        self.type("quit")
        return self.wait_exit()

    def close(self):
        if self.process.poll() is None:
            self.pids.update(children_of(self.process.pid))
            self.process.kill()
            self.process.wait()
        if self.reader:
            self.reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass


class Client:
    """A client that knows only TCP and JSON."""

    def __init__(self, port, identifier):
        self.id = identifier
        self.sequence = 0
        self.received = []
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(None)
        self.ended = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            with self.socket.makefile("r", encoding="utf-8", newline="\n") as stream:
                for line in stream:
                    self.received.append(json.loads(line))
        except (OSError, ValueError):
            pass
        self.ended = True

    def send(self, kind, payload, **more):
        """Sends a message and returns its MessageId. more: target, ack, correlation, plugin_id."""
        self.sequence += 1
        message_id = more.get("message_id") or str(uuid.uuid4())
        message = {
            "Header": {
                "MessageType": kind,
                "MessageId": message_id,
                "Timestamp": "2025-12-02T10:35:00.1234567Z",
                "CorrelationId": more.get("correlation"),
            },
            "Metadata": {"PluginId": more.get("plugin_id", self.id), "Sender": None, "Sequence": self.sequence},
            "Payload": payload,
        }
        if "target" in more:
            message["Metadata"]["Target"] = more["target"]
        if more.get("ack"):
            message["Metadata"]["Ack"] = True
        self.socket.sendall((json.dumps(message) + "\n").encode())
        return message_id

    def find(self, condition):
        return next((message for message in list(self.received) if condition(message)), None)

    def wait(self, condition, what):
        return wait_until(lambda: self.find(condition), f"{self.id}: {what}; received {self.received[-5:]}")

    def wait_answer(self, message_id):
        return self.wait(lambda m: m["Header"].get("CorrelationId") == message_id, f"an answer to {message_id}")

    def handshake(self):
        message_id = self.send("Handshake", {"Name": self.id, "Version": "0.1"})
        return self.wait(lambda m: (m["Payload"] or {}).get("Received") == message_id, "an answer to the handshake")

    def login(self, user, **more):
        payload = {"UserId": user, "Username": f"user{user}", "LoginTime": "2025-12-02T10:35:00.1234567Z"}
        return self.send("CommandRequest", payload, **more)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(PATIENCE)


class KernelTest(unittest.TestCase):
    """One fresh folder for each test, and no process left behind."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = os.path.realpath(self._folder.name)
        self._kernels = []
        self._clients = []

    def tearDown(self):
        for client in self._clients:
            client.close()
        for kernel in self._kernels:
            kernel.close()
        pids = set().union(*(kernel.pids for kernel in self._kernels)) if self._kernels else set()
        try:
            wait_until(lambda: not any(is_alive(pid) for pid in pids), "every plugin gone")
        finally:
            if self._outcome and any(error for _, error in getattr(self._outcome, "errors", [])):
                for kernel in self._kernels:
                    print(kernel.text, file=sys.stderr)
            self._folder.cleanup()

    def start(self, configuration, *arguments, **popen):
        kernel = Kernel(self.folder, configuration, *arguments, **popen)
        self._kernels.append(kernel)
        return kernel

    def client(self, kernel, identifier):
        client = Client(kernel.port(), identifier)
        self._clients.append(client)
        return client

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_metrics(self, condition, what, name="MetricLogger/metrics/metrics.log"):
        return wait_until(lambda: condition(self.read(name)) and self.read(name), what)


def configuration(*plugins, **more):
    """A configuration with port 0, so that no test depends on a free port."""
    return {"host": "127.0.0.1", "port": 0, "plugins": list(plugins), **more}


def main():
    """usage: test.py KERNEL [PLUGIN] [unittest's arguments]; PLUGIN: the program test_kernel_plugin."""
    global KERNEL, PLUGIN
    KERNEL = os.path.abspath(sys.argv.pop(1))
    if len(sys.argv) > 1 and os.path.exists(sys.argv[1]):
        PLUGIN = os.path.abspath(sys.argv.pop(1))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    unittest.main(module="__main__", verbosity=2)
