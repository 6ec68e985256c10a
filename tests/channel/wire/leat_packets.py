"""Packets, the sockets that they travel by, and sealed memory. Written from channel/WIRE.md alone: "A channel", "Packets" and "Sealed memory"."""

import array
import errno
import fcntl
import os
import select
import socket
import struct
import time

from leat_types import Malformed, TypeMismatch

VERSION = 1
MESSAGE, SEALED, GREETING, OFFER, MARKER, BARRIER = range(1, 7)
HEADER = struct.Struct("<BBBB4sHHIQ")
MAX_INLINE = 65536
MAX_PACKET = HEADER.size + MAX_INLINE
MAX_DESCRIPTORS = 253
MAX_HANDLES = 240
PADDING = bytes(49152)

SIZE_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
ALL_SEALS = SIZE_SEALS | fcntl.F_SEAL_WRITE
FUTURE_WRITE = 0x0010
SCM_PIDFD = 4


class Disconnected(Exception):
    """The other side is gone."""


class Timeout(Exception):
    """The deadline passed."""


def deadline(seconds):
    return time.monotonic() + seconds


def wait(fds, events, until):
    """Returns (descriptor, events) of what is ready; raises Timeout."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, events)
    while True:
        left = until - time.monotonic()
        ready = poller.poll(max(0, left) * 1000)
        if ready:
            return ready
        if left <= 0:
            raise Timeout()


# ---- packets ----

def send_bytes(sock, parts, fds, until):
    """Never sets O_NONBLOCK, which all holders of the socket share."""
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    while True:
        try:
            sock.sendmsg(parts, control, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            return
        except BlockingIOError:
            wait([sock.fileno()], select.POLLOUT, until)
        except (BrokenPipeError, ConnectionError):
            raise Disconnected() from None
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                raise Disconnected() from None
            if error.errno != errno.ETOOMANYREFS or time.monotonic() >= until:
                raise
            time.sleep(0.001)


def packet(kind, tag, body, encoding=0, table=b"", n_descriptors=0):
    return [HEADER.pack(VERSION, kind, encoding, 0, tag, n_descriptors, 0, len(table), len(body)), table, body]


def send_message(sock, tag, encoding, body, table, fds, until):
    if len(table) + len(body) <= MAX_INLINE:
        send_bytes(sock, packet(MESSAGE, tag, body, encoding, table, len(fds)), fds, until)
        return
    memory = make_memory(ALL_SEALS, table, body)
    try:
        header = packet(SEALED, tag, body, encoding, table, len(fds))[0]
        send_bytes(sock, [header, PADDING], [memory] + fds, until)
    finally:
        os.close(memory)


class Packet:
    """Its descriptors are its own until they are taken out of `fds`."""

    def __init__(self, data, fds, is_cut):
        self.data, self.fds, self.is_cut = data, fds, is_cut
        self.kind = data[1] if len(data) >= HEADER.size else 0

    def close(self):
        while self.fds:
            os.close(self.fds.pop())

    def check(self, tag):
        """Raises for what is wrong with header, sizes and number of descriptors."""
        if self.is_cut or len(self.data) < HEADER.size:
            raise Malformed("no packet")
        (version, self.kind, self.encoding, zero, its_tag, self.n_descriptors, more_zero, self.table_size,
         self.body_size) = HEADER.unpack_from(self.data)
        if version != VERSION or zero or more_zero or not MESSAGE <= self.kind <= BARRIER:
            raise Malformed("no header")
        if self.kind != SEALED and HEADER.size + self.table_size + self.body_size != len(self.data):
            raise Malformed("sizes do not add up")
        if self.kind >= GREETING and (self.encoding or self.table_size or self.n_descriptors):
            raise Malformed("not 0")
        if len(self.fds) != self.n_descriptors + {SEALED: 1, OFFER: 2}.get(self.kind, 0) or self.n_descriptors > MAX_HANDLES:
            raise Malformed("other descriptors than promised")
        if its_tag != tag:
            raise TypeMismatch()

    def content(self):
        """Table and body."""
        if self.kind == SEALED:
            fd = self.fds.pop(0)
            try:
                size = check_memory(fd, ALL_SEALS)
                if size != self.table_size + self.body_size:
                    raise Malformed("sealed memory of another size")
                data = read_memory(fd, size)
            finally:
                os.close(fd)
        else:
            data = self.data[HEADER.size:]
        return data[:self.table_size], data[self.table_size:]


def receive_packet(sock):
    """None: nothing is there. Raises Disconnected at the end."""
    room = socket.CMSG_SPACE(4 * MAX_DESCRIPTORS) + socket.CMSG_SPACE(12)
    while True:
        try:
            data, control, flags, _ = sock.recvmsg(MAX_PACKET, room, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
            break
        except BlockingIOError:
            return None
        except ConnectionResetError:
            continue  # The other side left something unread; what it sent is still here.
    if not data and not control:
        raise Disconnected()
    fds = array.array("i")
    for level, kind, content in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[:len(content) - len(content) % 4])
        elif (level, kind) == (socket.SOL_SOCKET, SCM_PIDFD):
            os.close(struct.unpack("i", content)[0])
    return Packet(data, list(fds), bool(flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)))


# ---- memory ----

def make_memory(seals, *parts):
    fd = os.memfd_create("leat-peer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(fd, view):]
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def check_memory(fd, wanted, unwanted=0):
    """Returns its size. The seals first: they prove that the rest is answered at once."""
    try:
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError:
        raise Malformed("no memory") from None
    if seals & wanted != wanted or seals & unwanted:
        raise Malformed("other seals")
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    modes = (os.O_RDWR,) if unwanted else (os.O_RDONLY, os.O_RDWR)
    if flags & os.O_ACCMODE not in modes or flags & os.O_PATH:
        raise Malformed("cannot be used")
    status = os.fstat(fd)
    if os.fstatvfs(fd).f_bsize > 65536 or status.st_blocks * 512 < status.st_size:
        raise Malformed("huge pages, or holes")
    return status.st_size


def read_memory(fd, size, offset=0):
    parts = []
    while size > 0:
        part = os.pread(fd, size, offset)
        if not part:
            raise Malformed("memory ends too early")
        parts.append(part)
        size -= len(part)
        offset += len(part)
    return b"".join(parts)


# ---- sockets ----

def is_channel_socket(fd):
    """Asks what is answered at once whatever it is."""
    try:
        sock = socket.socket(fileno=os.dup(fd))
    except OSError:
        return False
    with sock:
        return (sock.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_UNIX
                and sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_SEQPACKET)


def take_socket(fds):
    """The first descriptor as a socket."""
    if not is_channel_socket(fds[0]):
        raise Malformed("no channel's socket")
    return socket.socket(fileno=fds.pop(0))
