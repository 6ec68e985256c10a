"""A file whose server does not answer: whoever asks something of it, or closes it, waits until the server is gone. Mounting takes root, of a user
namespace at least."""

import ctypes
import errno
import os
import select
import struct
import tempfile
import threading

LOOKUP, GETATTR, OPEN, INIT, OPENDIR = 1, 3, 14, 26, 27
USER, GROUP = os.geteuid(), os.getegid()
ATTRIBUTES = struct.pack("<QQQQQQIIIIIIIIII", 2, 4096, 8, 0, 0, 0, 0, 0, 0, 0o100644, 1, USER, GROUP, 0, 4096, 0)
ROOT = struct.pack("<QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, USER, GROUP, 0, 4096, 0)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
FOREVER = struct.pack("<QII", 1 << 30, 0, 0)


class Silent:
    """`open()` gives a descriptor of its file. It has answered by then all that it ever will."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.folder = tempfile.mkdtemp()
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id={USER},group_id={GROUP}"
        if self.libc.mount(b"fuse", self.folder.encode(), b"fuse", 0, options.encode()) < 0:
            error = ctypes.get_errno()
            os.close(self.device)
            os.rmdir(self.folder)
            raise OSError(error, os.strerror(error))
        self.root = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.libc.umount2(self.folder.encode(), 2)  # MNT_DETACH: it lives by its root's descriptor, and not longer than this process.
        os.rmdir(self.folder)
        self.ear, self.mouth = os.pipe()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def open(self, flags=os.O_RDWR):
        return os.open("f", flags | os.O_CLOEXEC, dir_fd=self.root)

    def serve(self):
        poller = select.poll()
        poller.register(self.device, select.POLLIN)
        poller.register(self.ear, select.POLLIN)
        while not any(fd == self.ear for fd, _ in poller.poll()):
            request = os.read(self.device, 1 << 17)
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            answer = self.answer(opcode, node)
            if answer is not None:
                os.write(self.device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)

    def answer(self, opcode, node):
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 16, 0, 0)
        if opcode == LOOKUP:
            return struct.pack("<QQQQII", 2, 0, 1 << 30, 1 << 30, 0, 0) + ATTRIBUTES
        if opcode == OPEN:
            return struct.pack("<QII", 1, 0, 0)
        if opcode == GETATTR and node == 1:
            return FOREVER + ROOT
        return None

    def end(self):
        """Whoever waits is let go, with an error."""
        os.close(self.mouth)
        self.thread.join()
        for fd in (self.device, self.root, self.ear):
            os.close(fd)


def enter_namespaces():
    """To be called before anything else runs: who is not root mounts in namespaces of his own, where he keeps his name."""
    try:
        Silent().end()
        return
    except OSError as error:
        if error.errno != errno.EPERM or USER == 0:
            return
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0:
        return
    for name, text in ("setgroups", "deny"), ("uid_map", f"{USER} {USER} 1"), ("gid_map", f"{GROUP} {GROUP} 1"):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def close(fd):
    """After the end of its server, which is what closing complains of."""
    try:
        os.close(fd)
    except OSError:
        pass


def reason_against():
    """Why there is none here, or None."""
    try:
        Silent().end()
    except OSError as error:
        return f"no FUSE file can be made: {error}"
    return None
