"""A real kernel in a folder of its own, and TCP clients for it. Standard library only."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid

PATIENCE = 30  # Seconds until what must happen counts as not happening.


class Kernel:
    """Starts leat-kernel on a free port, with the programs of one build; a context manager."""

    def __init__(self, programs, plugins=(), host="127.0.0.1", port=0, environment=None, **settings):
        self.folder = tempfile.mkdtemp(prefix="leat-bridge-")
        path = os.path.join(self.folder, "kernelconfig.json")
        with open(path, "w") as file:
            json.dump({"host": host, "port": port, "bridge": True, "plugins": list(plugins), **settings}, file)
        self.output = []
        self.port = None
        self.process = subprocess.Popen([os.path.join(programs, "leat-kernel"), "--config", path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        cwd=self.folder, env={**os.environ, **(environment or {})})
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.output.append(line.decode("utf-8", "replace").rstrip("\n"))

    def __enter__(self):
        try:
            match = self.wait_for(r"127\.0\.0\.1:(\d+)|\[::1\]:(\d+)")
            self.port = int(match.group(1) or match.group(2))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            try:
                self.command("quit")
                self.process.wait(PATIENCE)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, pattern, start=0):
        """The first line of output, from the given one on, that holds the pattern."""
        def look():
            for line in self.output[start:]:
                match = re.search(pattern, line)
                if match:
                    return match
            return None
        return wait_until(look, lambda: "no line with %r in:\n%s" % (pattern, "\n".join(self.output)))

    def list(self):
        """What `list` prints; a command that nobody knows marks the end of it."""
        start, marker = len(self.output), "end-of-" + uuid.uuid4().hex
        self.command("list")
        self.command(marker)
        self.wait_for(marker, start)
        return self.output[start:]

    def pid_of(self, plugin):
        """Waits until the plugin is connected."""
        def look():
            for line in self.list():
                match = re.match(r"%s connected=True .*pid=(\d+)" % re.escape(plugin), line)
                if match:
                    return int(match.group(1))
            return None
        return wait_until(look)

    def is_connected(self, plugin):
        return any(line.startswith(plugin + " connected=True") for line in self.list())

    def metrics(self):
        path = os.path.join(self.folder, "MetricLogger", "metrics", "metrics.log")
        try:
            with open(path) as file:
                return file.read()
        except FileNotFoundError:
            return ""


def wait_until(look, explain=lambda: "it never happened"):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(explain())


def message(plugin, kind="CommandRequest", payload=None, message_id=None, correlation=None, **metadata):
    return {"Header": {"MessageType": kind, "MessageId": message_id or str(uuid.uuid4()),
                       "Timestamp": "2025-12-02T10:35:00.1234567Z", "CorrelationId": correlation},
            "Metadata": {"PluginId": plugin, "Sender": None, "Sequence": 1, **metadata},
            "Payload": payload}


def user_logged_in(name):
    return {"UserId": 4711, "Username": name, "LoginTime": "2025-12-02T10:35:00.1234567Z"}


class Client:
    """One TCP connection that may speak for several ids; a context manager."""

    def __init__(self, kernel, plugin=None, buffer=None):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.data = b""
        try:
            self.socket.connect(("127.0.0.1", kernel.port))
            if plugin:
                self.shake_hands(plugin)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, *args, **more):
        """As message(); returns the MessageId."""
        what = message(*args, **more)
        self.send_bytes(json.dumps(what).encode() + b"\n")
        return what["Header"]["MessageId"]

    def read(self):
        """The next message; None at the end."""
        while b"\n" not in self.data:
            got = self.socket.recv(1 << 16)
            if not got:
                assert self.data == b"", "half a line: %r" % self.data[:200]
                return None
            self.data += got
        line, self.data = self.data.split(b"\n", 1)
        return json.loads(line)

    def read_until(self, wanted):
        """The next message for which wanted(message) holds."""
        while True:
            got = self.read()
            assert got is not None, "the connection was closed"
            if wanted(got):
                return got

    def answer_to(self, message_id):
        return self.read_until(lambda m: m["Header"]["CorrelationId"] == message_id)

    def shake_hands(self, plugin):
        message_id = self.send(plugin, "Handshake", {"Name": plugin, "Version": "0.1"})
        answer = self.answer_to(message_id)
        assert answer["Payload"] == {"OK": True, "Received": message_id}, answer
        return answer

    def error(self, code, message_id=None):
        got = self.read_until(lambda m: m["Header"]["MessageType"] != "CommandRequest")
        assert got["Header"]["MessageType"] == "Error", got
        assert got["Payload"]["Code"] == code, (code, got)
        assert got["Header"]["CorrelationId"] == message_id, got
        assert got["Metadata"]["PluginId"] == "kernel", got
        assert set(got["Payload"]) == {"Code", "Message"}, got
        return got
