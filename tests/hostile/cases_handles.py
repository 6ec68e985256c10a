"""Tables that are none, handles that are not what they are said to be, and descriptors that nobody should touch."""

import array
import fcntl
import mmap
import os
import socket
import struct
import threading
import time

import descriptors
import fuse
from hostile import DISCONNECTED, MALFORMED, OK, TOO_LARGE, TYPE_MISMATCH, case, number, parcel
from leat_packets import ALL_SEALS, Disconnected, make_memory
from leat_types import MAX_TAILS

SO_PASSSEC, SO_PEEK_OFF, SO_PASSPIDFD = 34, 42, 76
DESCRIPTOR, MEMORY, SENDER, RECEIVER, WITH_LANES = range(1, 6)
KINDS = {"file": DESCRIPTOR, "memory": MEMORY, "reply": SENDER, "values": RECEIVER, "to": SENDER, "source": RECEIVER}


def row(kind, fingerprint=None, flags=0):
    """An honest row; ends are of numbers if nothing else is said."""
    if kind <= MEMORY:
        return bytes([kind])
    return bytes([kind, flags]) + (fingerprint or number.fingerprint().bytes())


def send_one(a, field, fd, answer, kind=None, table=None):
    """A message with one handle."""
    table = row(kind or KINDS[field]) if table is None else table
    value = {field: 0} if field != "files" else {"files": [0]}
    a.send(a.message(table=table, n=1, **value), [fd], answer=answer)


def null(a):
    return a.keep(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))


def pair(a, kind=socket.SOCK_SEQPACKET):
    ends = socket.socketpair(socket.AF_UNIX, kind)
    return a.keep(ends[0]), a.keep(ends[1])


# ---- what it is ----

def every_field(name, make, memory=MALFORMED, end=MALFORMED):
    """A descriptor in every field that takes a handle: any descriptor at all is a descriptor."""
    answers = {DESCRIPTOR: OK, MEMORY: memory, SENDER: end, RECEIVER: end}

    @case(f"{name} as each handle", needs=lambda: None if can_be_made(make) else "this system has none")
    def each(a):
        for field, kind in KINDS.items():
            fd = make(a)
            send_one(a, field, fd, answers[kind])
            os.close(fd)


class Throwaway:
    def __init__(self):
        self.kept = []

    def keep(self, thing):
        self.kept.append(thing)
        return thing


def can_be_made(make):
    """And sent: the system lets no io_uring through, for one."""
    one = Throwaway()
    try:
        fd = make(one)
        if fd is not None:
            one.keep(fd)
            ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            one.kept += ends
            stuffed(ends[0], [fd])
    except (OSError, AttributeError):
        fd = None
    for thing in one.kept:
        os.close(thing) if isinstance(thing, int) else thing.close()
    return fd is not None


for name, make in descriptors.OTHERS.items():
    every_field(name, make)
for name, make in descriptors.SEQPACKETS.items():
    every_field(name, make, end=OK)
for name, make in descriptors.WRONG_MEMORY.items():
    every_field(name, make)
for name, make in descriptors.RIGHT_MEMORY.items():
    every_field(name, make, memory=OK)
every_field("memory of 2^62 bytes that nobody wrote", descriptors.sparse(1 << 62), memory=TOO_LARGE)


def sealed_body(name, make):
    """The same memory as a message's body: it is good memory without the right body, or none."""
    @case(f"{name} as a message's body", needs=lambda: None if can_be_made(make) else "this system has none")
    def body(a):
        fd = a.keep(make(a))
        size = os.fstat(fd).st_size
        for body_size in {size, 4096, 1}:
            a.send(a.packet(kind=2, body_size=body_size), [fd])


for name, make in list(descriptors.WRONG_MEMORY.items()) + list(descriptors.OTHERS.items()):
    if name != "/proc/self/mem":
        sealed_body(name, make)


@case("memory over the receiver's limit", options="limit=5000", answer=TOO_LARGE, ways=("alone", "undecoded", "set", "router"))
def memory_over_limit(a):
    for size in (5001, 1 << 20, 16 << 20):
        send_one(a, "memory", a.keep(make_memory(ALL_SEALS, bytes(size))), TOO_LARGE)


@case("memory that is punched, shrunk and written to after it was sent", answer=OK)
def memory_changed(a):
    fd = a.keep(make_memory(ALL_SEALS, b"x" * 100000))
    for _ in range(20):
        send_one(a, "memory", fd, OK)
        for change in (lambda: os.ftruncate(fd, 0), lambda: os.pwrite(fd, b"y", 0),
                       lambda: fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 1)):
            try:
                change()
            except OSError:
                continue
            raise AssertionError("seals do not hold")


@case("one descriptor in every row", answer=OK)
def the_same_in_every_row(a):
    fd = null(a)
    a.send(a.message(table=b"\1" * 240, n=240, files=list(range(240))), [fd] * 240)
    memory = a.keep(make_memory(ALL_SEALS, bytes(5000)))
    a.send(a.message(table=b"\1\2", n=2, file=0, memory=1), [memory] * 2)
    one, _ = pair(a)
    rows = row(SENDER) + row(RECEIVER) + row(SENDER) + row(RECEIVER)
    a.send(a.message(table=rows, n=4, reply=0, values=1, to=2, source=3), [one.fileno()] * 4)


# ---- tables ----

@case("rows that there are not")
def no_rows(a):
    encoding, body = a.body(file=0)
    for kind in [0] + list(range(6, 256)):
        a.send(a.packet(body, table=bytes([kind]), encoding=encoding, n=1), [null(a)])
        a.send(a.packet(body, table=bytes([kind]) + row(SENDER)[1:], encoding=encoding, n=1), [null(a)])


@case("more rows than descriptors, and fewer")
def not_so_many_rows(a):
    fd = null(a)
    for n_rows, n in ((0, 1), (2, 1), (1, 2), (3, 2), (239, 240), (241, 240), (65000, 1), (0, 240)):
        encoding, body = a.body(file=0 if n_rows else None)
        a.send(a.packet(body, table=b"\1" * n_rows, encoding=encoding, n=n), [fd] * n)
    a.send(a.message(table=b"\1", n=0, file=0))
    a.send(a.message(table=row(SENDER), n=0, reply=0))


@case("rows of ends cut off after each byte")
def cut_rows(a):
    one, _ = pair(a)
    whole = row(SENDER, number.fingerprint().bytes())
    for kind in (SENDER, RECEIVER):
        for size in range(1, len(whole)):
            send_one(a, "reply" if kind == SENDER else "values", one.fileno(), MALFORMED,
                     table=(bytes([kind]) + whole[1:])[:size])
    tails = bytes([MAX_TAILS]) + number.fingerprint().base + bytes(8 * MAX_TAILS)
    for size in range(17, len(tails), 8):
        send_one(a, "to", one.fileno(), MALFORMED, table=bytes([SENDER, 0]) + tails[:size])


@case("flags of ends that there are not")
def flags(a):
    one, _ = pair(a)
    for flag in range(2, 256):
        send_one(a, "reply", one.fileno(), MALFORMED, table=row(SENDER, flags=flag))
        send_one(a, "values", one.fileno(), MALFORMED, table=row(RECEIVER, flags=flag))
    send_one(a, "reply", one.fileno(), OK, table=row(SENDER, flags=1))


@case("fingerprints with other tails")
def tails(a):
    base = number.fingerprint().base
    for field, kind in (("reply", SENDER), ("values", RECEIVER), ("to", SENDER), ("source", RECEIVER)):
        for n in (0, 1, 63, 64):
            one, _ = pair(a)
            send_one(a, field, one.fileno(), OK, table=bytes([kind, 0, n]) + base + os.urandom(8 * n))
        for n in (65, 66, 127, 128, 255):
            one, _ = pair(a)
            send_one(a, field, one.fileno(), MALFORMED, table=bytes([kind, 0, n]) + base + bytes(8 * n))
            send_one(a, field, one.fileno(), MALFORMED, table=bytes([kind, 0, n]) + base)


@case("ends of other types", answer=TYPE_MISMATCH)
def other_types(a):
    for field, kind in (("reply", SENDER), ("values", RECEIVER)):
        for print_ in (parcel.fingerprint().bytes(), bytes(17), b"\0" + b"\xff" * 16, b"\1" + bytes(24)):
            one, _ = pair(a)
            send_one(a, field, one.fileno(), TYPE_MISMATCH, table=row(kind, print_))
    for field, kind in (("to", SENDER), ("source", RECEIVER)):  # Any will do.
        one, _ = pair(a)
        send_one(a, field, one.fileno(), OK, table=row(kind, b"\0" + b"\xff" * 16))


@case("one channel's sender under two types", answer=TYPE_MISMATCH)
def two_types(a):
    one, _ = pair(a)
    table = row(SENDER) + row(SENDER, parcel.fingerprint().bytes())
    a.send(a.message(table=table, n=2, reply=0, to=1), [one.fileno()] * 2)
    a.send(a.message(table=table, n=2, to=0, reply=1), [one.fileno()] * 2)
    send_one(a, "reply", one.fileno(), OK)


# ---- references ----

@case("each kind of row in each field of another kind")
def matrix(a):
    one, _ = pair(a)
    fds = {DESCRIPTOR: null(a), MEMORY: a.keep(make_memory(ALL_SEALS, b"x")), SENDER: one.fileno(), RECEIVER: one.fileno()}
    for field, wanted in list(KINDS.items()) + [("files", DESCRIPTOR)]:
        for kind, fd in fds.items():
            send_one(a, field, fd, OK if kind == wanted else MALFORMED, kind=kind)


@case("handles out of range")
def out_of_range(a):
    for index in (1, 2, 239, 240, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1):
        for field in KINDS:
            a.send(a.message(table=b"\1", n=1, **{field: index}), [null(a)])
            a.send(a.message(**{field: index}))


@case("handles that are no number from 0")
def no_index(a):
    body = bytearray(a.body(file=100)[1])
    at = body.index(100, 20)
    for value in (b"\xff", b"\xe0", b"\xd0\xff", b"\xd3" + b"\xff" * 8, b"\xca" + bytes(4), b"\xcb" + bytes(8), b"\xc2", b"\xc3",
                  b"\xa0", b"\xc4\0", b"\x90", b"\x91\0", b"\x80", b"\xc7\0\0", b"\xc1"):
        a.send(a.packet(bytes(body[:at]) + value + bytes(body[at + 1:]), table=b"\1", n=1), [null(a)])


@case("handles referred to twice")
def twice(a):
    fd, (one, _) = null(a), pair(a)
    a.send(a.message(table=b"\1", n=1, file=0, files=[0]), [fd])
    a.send(a.message(table=b"\1", n=1, files=[0, 0]), [fd])
    a.send(a.message(table=b"\1" * 3, n=3, files=[0, 1, 2, 1]), [fd] * 3)
    a.send(a.message(table=row(SENDER), n=1, reply=0, to=0), [one.fileno()])
    a.send(a.message(table=row(RECEIVER), n=1, values=0, source=0), [one.fileno()])


@case("handles that nobody refers to", answer=OK)
def unused(a):
    one, _ = pair(a)
    memory = a.keep(make_memory(ALL_SEALS, bytes(5000)))
    rows = b"\1\2" + row(SENDER) + row(RECEIVER)
    for _ in range(20):
        a.send(a.message(table=rows, n=4), [null(a), memory, one.fileno(), one.fileno()])


@case("a bad message with all kinds of good handles")
def good_handles(a):
    for _ in range(20):
        (one, _), (two, _) = pair(a), pair(a)
        memory = a.keep(make_memory(ALL_SEALS, bytes(5000)))
        rows = b"\1\2" + row(SENDER) + row(RECEIVER)
        message = a.message(table=rows, n=4, file=0, memory=1, reply=2, values=3)
        a.send(message[:-1] + b"\xc1", [null(a), memory, one.fileno(), two.fileno()])


# ---- traps ----

def lingering(a):
    """The number of a connection that does not close before its time: its other end has no room and reads nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        sock = socket.create_connection(listener.getsockname())
        a.at_end(listener.accept()[0].close)  # Then it is let go.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    sock.setblocking(False)
    try:
        while True:
            sock.send(bytes(1 << 16))
    except BlockingIOError:
        pass
    sock.setblocking(True)
    return sock.detach()


def close_aside(a, *fds):
    """The victim may have closed its copies before, so the attacker may be the one who waits."""
    thread = threading.Thread(target=lambda: [os.close(fd) for fd in fds], daemon=True)
    thread.start()
    a.at_end(thread.join)


@case("TCP sockets that linger, with something unread", memory=128)
def linger(a):
    for field in ("file", "memory", "reply"):
        fd = lingering(a)
        send_one(a, field, fd, OK if field == "file" else MALFORMED)
        close_aside(a, fd)
        a.send(b"x")  # The message with it ends.


def stuffed(sock, fds):
    """Something unread, with descriptors, in the other end."""
    sock.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


@case("sockets in which descriptors wait, of sockets that linger", memory=128)
def linger_unread(a):
    for field in ("file", "memory", "reply", "values", "to", "source"):
        fd = lingering(a)
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stuffed(other, [fd])
        os.close(fd)  # It waits in `one` by now.
        send_one(a, field, one.fileno(), MALFORMED if field == "memory" else OK)
        close_aside(a, one.detach(), other.detach())


def silent_file(a):
    """A file that nobody may ask anything, and what is to be called when it was sent."""
    server = fuse.Silent()
    fd = server.open()
    a.at_end(lambda: (server.end(), fuse.close(fd)))
    return fd


FUSE_REASON = []


def needs_fuse():
    """Found out once."""
    if not FUSE_REASON:
        FUSE_REASON.append(fuse.reason_against())
    return FUSE_REASON[0]


@case("a file whose fstat, read and close never return, as each handle", needs=needs_fuse)
def silent(a):
    fd = silent_file(a)
    for field, kind in KINDS.items():
        send_one(a, field, fd, OK if kind == DESCRIPTOR else MALFORMED)
    a.send(a.packet(kind=2, body_size=4096), [fd])
    a.send(a.message(), [fd])
    a.send(b"x", [fd])


@case("a file whose close never returns, in a socket that is not read", needs=needs_fuse)
def silent_unread(a):
    fd = silent_file(a)
    for field in ("file", "reply", "values", "to", "source"):
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stuffed(other, [fd])
        send_one(a, field, one.fileno(), OK)
        # Here closing would hang as well, until the file's server is gone.
        a.at_end(one.close)
        a.at_end(other.close)


@case("files whose close never returns, more than are waited for", needs=needs_fuse, ways=("alone", "undecoded", "set"), spoils=True)
def silent_flood(a):
    fd = silent_file(a)
    try:
        for _ in range(20):
            a.send(a.message(), [fd] * 100, answer=None)
    except Disconnected:
        pass  # What was still in the socket is lost.
    # One is in the hands of the thread that hangs, 256 may wait.
    a.expected = [(MALFORMED,)] * 3 + [(DISCONNECTED,)]


@case("O_PATH of a file that never answers", needs=needs_fuse)
def silent_path(a):
    server = fuse.Silent()
    fd = os.open("f", os.O_PATH | os.O_CLOEXEC, dir_fd=server.root)
    a.at_end(lambda: (os.close(fd), server.end()))
    for field, kind in KINDS.items():
        send_one(a, field, fd, OK if kind == DESCRIPTOR else MALFORMED)


# ---- ends of its own ----

@case("the channel's own sender, over itself", answer=OK)
def own_sender(a):
    for _ in range(10):
        send_one(a, "to", a.sock.fileno(), OK, table=row(SENDER, a.fingerprint.bytes()))


@case("the channel's own sender, said to be a receiver", answer=OK)
def own_sender_as_receiver(a):
    for _ in range(10):
        send_one(a, "source", a.sock.fileno(), OK, table=row(RECEIVER, a.fingerprint.bytes()))
        send_one(a, "values", a.sock.fileno(), OK)


@case("a socket that waits in itself", answer=OK)
def in_itself(a):
    for field in ("file", "reply", "values", "to", "source"):
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stuffed(other, [one.fileno(), other.fileno()])
        send_one(a, field, one.fileno(), OK)
        one.close()
        other.close()


@case("sockets in sockets, a hundred deep", answer=OK)
def nested(a):
    for field in ("file", "reply", "values", "to", "source"):
        inner = None
        for _ in range(100):
            one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                if inner:
                    stuffed(other, [inner.fileno()])
            except OSError:
                break  # Before Linux 6.9 the system takes four.
            finally:
                other.close()
            if inner:
                inner.close()
            inner = one
        send_one(a, field, inner.fileno(), OK)
        inner.close()


@case("messages in the receivers that are sent: good, bad, and of another type", answer=OK)
def receivers_with_messages(a):
    good = struct.pack("<BBBB4sHHIQQ", 1, 1, 1, 0, number.fingerprint().tag, 0, 0, 0, 8, 1)
    for content in (good, b"x", b"", a.message(), good[:-1], good * 2):
        for field in ("values", "source"):
            one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            other.send(content)
            send_one(a, field, one.fileno(), OK)
            one.close()
            other.close()


@case("senders whose other end has no room, is closed, or never was", answer=OK)
def senders_without_room(a):
    for field in ("reply", "to"):
        one, other = pair(a)
        one.setblocking(False)
        try:
            while True:
                one.send(bytes(1000))
        except BlockingIOError:
            one.setblocking(True)
        send_one(a, field, one.fileno(), OK)
        one, other = pair(a)
        other.close()
        send_one(a, field, one.fileno(), OK)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as alone:
            send_one(a, field, alone.fileno(), OK)


@case("ends that are non-blocking, shut, or have strange options", answer=OK)
def strange_ends(a):
    def change_all(sock):
        sock.setblocking(False)
        for option in (socket.SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD, socket.SO_KEEPALIVE):
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
            except OSError:
                pass
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
        sock.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 5)

    for change in (change_all, lambda s: s.shutdown(socket.SHUT_RD), lambda s: s.shutdown(socket.SHUT_WR),
                   lambda s: s.shutdown(socket.SHUT_RDWR)):
        for field in ("reply", "values", "to", "source"):
            one, other = pair(a)
            other.send(b"x")
            change(one)
            send_one(a, field, one.fileno(), OK)


@case("a sender whose lock is held by one who reads into memory that never comes", needs=needs_fuse, answer=OK)
def held_lock(a):
    """A thread of the attacker's is in recvmsg() with the socket's lock, at a page of a file whose server is silent."""
    memory = mmap.mmap(silent_file(a), 4096)
    one, other = pair(a)
    other.send(bytes(100))
    thread = threading.Thread(target=read_into, args=(one.fileno(), memory), daemon=True)
    thread.start()
    a.at_end(thread.join)
    a.at_end(memory.close)
    time.sleep(0.05)  # If it has not come so far by then, the case is as good as no case, and no worse.
    for field in ("reply", "to", "file"):
        send_one(a, field, one.fileno(), OK)


def read_into(fd, memory):
    try:
        socket.socket(fileno=os.dup(fd)).recv_into(memory)
    except OSError:
        pass
