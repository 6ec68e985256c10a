"""Offers of lanes that cannot be: numbers, memory, sockets, names, and more of them than anybody takes. None of them has an outcome at the
receiver but those that are no offer at all; none leaves anything; and the honest lane beside goes on."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import tempfile

from hostile import CHANNEL_WAYS, MALFORMED, TYPE_MISMATCH, Failed, case
from lanes import LANE_LIMIT, LANE_MEMORY, SIZE, Beside, Lane, has_ended, hear, need_lanes, numbers_of, send_offer, sync
from leat_packets import ALL_SEALS, FUTURE_WRITE, SIZE_SEALS
from leat_ring import ACCEPTED, WORDS, drain_bells
from leat_types import MESSAGEPACK, PLAIN

WAYS_OF_LANES = ("alone", "opaque", "set", "router")
libc = ctypes.CDLL(None, use_errno=True)


def offer_case(name, **options):
    """Cases whose offers are all refused, and which say so by their return: a list of the sockets to hear it by (None: no answer can
    be heard there)."""
    def register(body):
        def run(a):
            beside = Beside(a) if a.grants_lanes else None
            for sock in body(a):
                if sock is not None and hear(sock) == ACCEPTED:
                    raise Failed("an offer that cannot be is accepted")
            sync(a)
            if beside:
                beside.must_be_well()
        return case(name, answer=None, ways=WAYS_OF_LANES, **options)(run)
    return register


# ---- numbers ----

@offer_case("offers of rings of sizes that cannot be")
def sizes(a):
    for size in (0, 1, 2048, 4095, 4097, 12288, SIZE - 1, SIZE + 4096, 2 * SIZE, SIZE // 2, 2**31, 2**32, 2**32 + SIZE, 2**62, 2**63,
                 2**64 - 4096, 2**64 - 1):
        yield Lane(a).offer(size=size, limit=min(size, SIZE)).sock


@offer_case("offers of rings with limits that cannot be")
def limits(a):
    for limit in (0, 1, 8, 2047, SIZE + 1, SIZE + 8, 2**32, 2**32 + SIZE, 2**63, 2**64 - 8, 2**64 - 1):
        yield Lane(a).offer(limit=limit).sock


@case("limits that are odd, but can be", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def odd_limits(a):
    for limit in (2048, 2049, 2055, 4095, 65521, 65535, 65536):
        lane = Lane(a)
        lane.ring.limit = limit
        lane.open().must_go_on()
        lane.leave()


# ---- memory ----

def memfd(flags=0, size=WORDS + SIZE, seals=SIZE_SEALS, fill=True):
    fd = os.memfd_create("leat-peer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | flags)
    os.ftruncate(fd, size)
    if fill and size > 0:
        os.posix_fallocate(fd, 0, size)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def reopened(fd, flags):
    """The same file, by its link in /proc."""
    try:
        return os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC)
    finally:
        os.close(fd)


def offers_of_memory(a, *fds):
    for fd in fds:
        lane = Lane(a)
        lane.offer(memory=fd)
        os.close(fd)
        yield lane.sock


@offer_case("memory without one of its seals")
def unsealed(a):
    each = (fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_SEAL)
    sets = [0, *each, *(SIZE_SEALS & ~seal for seal in each)]
    return offers_of_memory(a, *(memfd(seals=seals) for seals in sets))


@offer_case("memory with a seal too many")
def sealed_too_much(a):
    return offers_of_memory(a, memfd(seals=ALL_SEALS), memfd(seals=SIZE_SEALS | FUTURE_WRITE))


@offer_case("memory of another size than its ring's")
def of_other_sizes(a):
    return offers_of_memory(a, *(memfd(size=size) for size in (0, 1, WORDS, SIZE, WORDS + SIZE - 4096, WORDS + SIZE - 1,
                                                               WORDS + SIZE + 1, 2 * (WORDS + SIZE))))


@offer_case("memory that was shrunk, and memory with holes")
def with_holes(a):
    shrunk = memfd(size=4 * SIZE, seals=0)
    os.ftruncate(shrunk, WORDS + SIZE)
    os.ftruncate(shrunk, SIZE)
    os.ftruncate(shrunk, WORDS + SIZE)
    fcntl.fcntl(shrunk, fcntl.F_ADD_SEALS, SIZE_SEALS)
    punched = memfd()
    punch(punched, SIZE // 2, 4096)
    return offers_of_memory(a, shrunk, punched, memfd(fill=False))


def punch(fd, offset, size):
    keep_size, punch_hole = 1, 2
    if libc.fallocate(fd, punch_hole | keep_size, ctypes.c_long(offset), ctypes.c_long(size)) < 0:
        raise OSError(ctypes.get_errno(), "fallocate")


@offer_case("memory that cannot be written")
def read_only(a):
    return offers_of_memory(a, reopened(memfd(), os.O_RDONLY), reopened(memfd(), os.O_WRONLY), reopened(memfd(), os.O_PATH))


def huge_page_size():
    with open("/proc/meminfo") as info:
        return next((int(line.split()[1]) << 10 for line in info if line.startswith("Hugepagesize")), 0)


def huge_memory():
    """Of pages of their own size; not all of them need be there."""
    fd = os.memfd_create("leat-peer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | os.MFD_HUGETLB)
    os.ftruncate(fd, huge_page_size())
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SIZE_SEALS)
    return fd


def need_huge_pages():
    try:
        os.close(huge_memory())
    except OSError as error:
        return f"no huge pages: {os.strerror(error.errno)}"
    return None


@offer_case("memory of huge pages that nobody has", needs=need_huge_pages)
def of_huge_pages(a):
    lane = Lane(a)
    lane.offer(memory=a.keep(huge_memory()), size=huge_page_size() // 2, limit=4096)
    yield lane.sock
    yield from offers_of_memory(a, huge_memory())


def secret_memory():
    fd = libc.syscall(447, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "memfd_secret")
    return fd


def need_secret_memory():
    try:
        os.close(secret_memory())
    except OSError as error:
        return f"no memfd_secret: {os.strerror(error.errno)}"
    return None


@offer_case("secret memory", needs=need_secret_memory)
def of_secret_memory(a):
    fd = secret_memory()
    os.ftruncate(fd, WORDS + SIZE)
    return offers_of_memory(a, fd)


@offer_case("other files as memory")
def other_files(a):
    with tempfile.TemporaryFile() as file:
        file.truncate(WORDS + SIZE)
        regular = os.dup(file.fileno())
    pipe = os.pipe()
    return offers_of_memory(a, regular, *pipe, os.open("/dev/zero", os.O_RDWR | os.O_CLOEXEC), os.open("/", os.O_RDONLY | os.O_CLOEXEC),
                            os.eventfd(0), socket.socket().detach(), os.dup(a.sock.fileno()))


# ---- sockets ----

def offers_of_sockets(a, *socks):
    """By these nothing can be heard; what waits in them for us is no answer."""
    for sock in socks:
        fd = sock if isinstance(sock, int) else sock.detach()
        Lane(a).offer(sock=fd)
        os.close(fd)
        yield None


@offer_case("other things as a lane's socket")
def other_sockets(a):
    listener = socket.create_server(("127.0.0.1", 0))
    tcp = socket.create_connection(listener.getsockname())
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    return offers_of_sockets(a, listener, tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM), *socket.socketpair(),
                             *socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM), *os.pipe(), memfd(),
                             os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), os.eventfd(0))


def seqpacket():
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@offer_case("the channel's own sending end, as a lane's socket")
def own_end(a):
    return offers_of_sockets(a, os.dup(a.sock.fileno()))


@offer_case("sockets with names, or that lead to one")
def named(a):
    bound, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    bound.bind("")
    theirs_bound, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.bind("")
    a.keep(theirs), a.keep(ours)
    with seqpacket() as listener:
        listener.bind("\0leat-hostile-%d-%d" % (os.getpid(), a.random.getrandbits(60)))
        listener.listen(4)
        client = seqpacket()
        client.connect(listener.getsockname())
        served, _ = listener.accept()
    return offers_of_sockets(a, bound, theirs_bound, client, served)


@offer_case("sockets without another end")
def without_end(a):
    alone, hung, theirs = seqpacket(), *socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    with seqpacket() as closed_listener:
        closed_listener.bind("\0leat-hostile-%d-%d" % (os.getpid(), a.random.getrandbits(60)))
        closed_listener.listen(1)
        listening = closed_listener.dup()
    return offers_of_sockets(a, alone, listening, hung)


@case("lanes whose sockets have hung up already", answer=None, ways=WAYS_OF_LANES)
def hung_up(a):
    for has_mark in (False, True):
        for shut in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR, None):
            lane = Lane(a)
            if shut is None:
                lane.sock.close()
            else:
                lane.sock.shutdown(shut)
            lane.offer().close_parts()
            if has_mark:
                lane.mark()
    sync(a)


@case("a lane's socket stuffed before it is offered", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def stuffed(a):
    null = a.keep(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
    beside = Beside(a)
    for stuff in (lambda lane: lane.sock.send(b"B"), lambda lane: lane.sock.send(b""), lambda lane: lane.sock.send(b"x" * 23),
                  lambda lane: lane.sock.send(b"x" * 24), lambda lane: lane.sock.send(bytes(70000)),
                  lambda lane: socket.send_fds(lane.sock, [b"B"], [null] * 100),
                  lambda lane: socket.send_fds(lane.sock, [b"B"], [lane.sock.fileno()]),
                  lambda lane: socket.send_fds(lane.sock, [b"x" * 100], [lane.parts[1]] * 50)):
        for n in (1, 40):
            lane = Lane(a)
            for _ in range(n):
                try:
                    lane.sock.setblocking(False)
                    stuff(lane)
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EMSGSIZE, errno.ETOOMANYREFS):
                        raise
            lane.sock.setblocking(True)
            lane.open().message()  # Where no bell fits in any more, it is read at the end.
            lane.leave()
    beside.must_be_well()


@case("one pair's two ends, as the sockets of two lanes", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def both_ends(a):
    beside, one, other = Beside(a), Lane(a), Lane(a)
    one.offer()
    other.offer(sock=one.sock.fileno())
    one.mark()
    other.mark()
    sync(a)
    beside.must_be_well()


# ---- names ----

@case("a name that is taken, by oneself or by another", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def taken_names(a):
    beside, own = Beside(a), Lane(a).open()
    for identity in (own.identity, beside.lane.identity):
        for _ in range(3):
            again = Lane(a, identity=identity)
            again.offer().close_parts()
            if again.is_accepted():
                raise Failed("a name is given twice")
    own.must_go_on()
    beside.must_be_well()


@case("names of zeros, of ones, and of lanes that are gone", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def odd_names(a):
    beside = Beside(a)
    for identity in (bytes(16), b"\xff" * 16, bytes(15) + b"\1"):
        for _ in range(3):  # Each time the last one has ended.
            lane = Lane(a, identity=identity).open()
            lane.must_go_on()
            lane.leave()
    beside.must_be_well()


@case("a lane offered again with the same memory and socket", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def offered_again(a):
    beside, lane = Beside(a), Lane(a)
    lane.offer()
    if not lane.is_accepted():
        raise Failed("an honest offer is refused")
    lane.identity = a.random.randbytes(16)
    lane.offer().close_parts()
    sync(a)
    if not drain_bells(lane.sock):
        raise Failed("one socket is given twice")
    lane.mark()
    sync(a)
    beside.must_be_well()


# ---- what is no offer ----

@case("offers with another number of descriptors", ways=CHANNEL_WAYS)
def descriptors(a):
    lane = Lane(a)
    body = lane.identity + numbers_of(SIZE, SIZE)
    for fds in ([], lane.parts[:1], lane.parts + lane.parts[:1], lane.parts * 3, [lane.parts[1]] * 200):
        send_offer(a, body, fds, answer=MALFORMED)


@case("offers of another size")
def other_sizes(a):
    lane = Lane(a)
    body = lane.identity + numbers_of(SIZE, SIZE)
    for size in (*range(32), *range(33, 48), 100, 65000):
        send_offer(a, (body + bytes(size))[:size], lane.parts, answer=MALFORMED)


@case("offers with a table, handles, an encoding or bytes that must be 0")
def headers(a):
    lane = Lane(a)
    body = lane.identity + numbers_of(SIZE, SIZE)
    for header in ({"encoding": PLAIN}, {"encoding": MESSAGEPACK}, {"encoding": 255}, {"table": b"\1"}, {"n": 1}, {"n": 0xffff},
                   {"zero_3": 1}, {"zero_10": 1}, {"table_size": 32, "body_size": 0}, {"body_size": 31}, {"body_size": 2**64 - 1}):
        send_offer(a, body, lane.parts, answer=MALFORMED, **header)


@case("offers under another tag")
def other_tags(a):
    lane = Lane(a)
    for tag in (bytes(4), b"\xff" * 4, bytes([a.tag[0] ^ 1]) + a.tag[1:]):
        send_offer(a, lane.identity + numbers_of(SIZE, SIZE), lane.parts, answer=(MALFORMED, TYPE_MISMATCH), tag=tag)


# ---- more than anybody takes ----

@case("hundreds of lanes offered", answer=None, ways=("alone", "set"), memory=96)
def flood(a):
    lanes = []
    for _ in range(300):
        lane = Lane(a, limit=4096)
        lane.offer().close_parts()
        lanes.append(lane)
    accepted = [lane for lane in lanes if lane.is_accepted()]
    if len(accepted) != (LANE_LIMIT if a.grants_lanes else 0):
        raise Failed(f"{len(accepted)} lanes are accepted")
    for lane in accepted:
        lane.mark()
        lane.must_go_on()
    for lane in accepted:
        lane.leave()
    if a.grants_lanes:
        Lane(a).open().must_go_on()


@case("hundreds of lanes offered that are never opened, and end", answer=None, ways=("alone", "set"), memory=96)
def flood_unopened(a):
    for _ in range(6):
        lanes = [Lane(a, limit=4096) for _ in range(50)]
        for lane in lanes:
            lane.offer().close_parts()
        for lane in lanes:
            if lane.is_accepted() != a.grants_lanes:
                raise Failed("it is answered otherwise than the first")
            lane.sock.shutdown(socket.SHUT_WR)
        for lane in lanes if a.grants_lanes else ():
            lane.must_end()


@case("more memory than a receiver has for lanes", answer=None, ways=("alone",), memory=96)
def flood_memory(a):
    size = LANE_MEMORY // 8
    accepted = 0
    memory = a.keep(memfd(size=WORDS + size))  # One for all: that they share it is their own affair.
    for _ in range(12):
        lane = Lane(a, limit=4096)
        lane.offer(size=size, limit=size, memory=memory)
        lane.close_parts()
        accepted += lane.is_accepted()
    if accepted != (8 if a.grants_lanes else 0):
        raise Failed(f"{accepted} lanes of {size} bytes are accepted")


@case("offers that are gone before they are looked at", answer=None, ways=("alone", "set"))
def gone(a):
    for _ in range(100):
        lane = Lane(a, limit=4096)
        lane.offer()
        lane.sock.close()
        lane.close_parts()
    sync(a)
    if has_ended(a.sock):
        raise Failed("the channel has ended")
