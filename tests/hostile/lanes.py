"""Lanes in the hands of a hostile peer: offered, opened, filled and spoiled by hand; and an honest one beside them, whose messages must
come whatever is done to the others."""

import array
import contextlib
import os
import select
import signal
import socket
import struct
import time

from hostile import OK, PATIENCE, Failed
from leat_lane_writer import LaneWriter
from leat_packets import BARRIER, MARKER, OFFER, Disconnected, deadline
from leat_ring import ACCEPTED, IS_SAFE, RECORD_MESSAGE, REFUSED, TAIL, drain_bells

LANE_LIMIT, LANE_MEMORY = 64, 256 << 20  # The library's, unless it is told otherwise.
SIZE = 65536


def need_lanes():
    """What cases need that have one."""
    if os.environ.get("LEAT_LANES") == "never":
        return "the library was told never to have lanes"
    return None if IS_SAFE else "the Python peer has no atomic words here"


def numbers_of(size, limit):
    return struct.pack("<QQ", size, limit)


def send_offer(a, body, fds, answer=None, **header):
    a.send(a.packet(body, kind=OFFER, encoding=header.pop("encoding", 0), **header), fds, answer=answer)


def send_marker(a, identity, answer=None):
    a.send(a.packet(identity, kind=MARKER, encoding=0), answer=answer)


def send_barrier(a, identity, position, answer=None):
    a.send(a.packet(identity + struct.pack("<Q", position), kind=BARRIER, encoding=0), answer=answer)


def send_now(sock, data, fds=()):
    """One packet; raises BlockingIOError where there is no room. (socket.send_fds() does not look at its flags.)"""
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([data], control, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def has_ended(sock):
    """The other side has closed it."""
    poller = select.poll()
    poller.register(sock, 0)
    return bool(poller.poll(0))


def hear(sock):
    """The answer to an offer; one whose descriptors did not arrive is refused by the end."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    while poller.poll(PATIENCE * 1000):
        try:
            return sock.recv(2) or REFUSED
        except ConnectionResetError:
            continue  # Closed with something unread; what it sent is still here.
    raise Failed("an offer is not answered")


@contextlib.contextmanager
def flooded(sock, n=2):
    """While bells come by it as fast as processes can ring them."""
    children = []
    for _ in range(n):
        child = os.fork()
        if child == 0:
            ring_for_ever(sock)
        children.append(child)
    try:
        yield
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def ring_for_ever(sock):
    while True:
        try:
            sock.send(b"B", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            continue
        except OSError:
            os._exit(0)


class Lane(LaneWriter):
    """One of the attacker's. Everything about it can be a lie, one after the other."""

    def __init__(self, a, limit=SIZE, identity=None):
        super().__init__(limit)
        self.a, self.type = a, a.type
        self.identity = a.random.randbytes(16) if identity is None else identity
        self.parts = [self.memory, self.their_sock.detach()]
        a.keep(self)

    def close(self):
        self.close_parts()
        super().close()

    def close_parts(self):
        while self.parts:
            os.close(self.parts.pop())

    def offer(self, size=None, limit=None, memory=None, sock=None):
        body = self.identity + numbers_of(self.ring.size if size is None else size, self.ring.limit if limit is None else limit)
        send_offer(self.a, body, [self.parts[0] if memory is None else memory, self.parts[1] if sock is None else sock])
        return self

    def is_accepted(self):
        return hear(self.sock) == ACCEPTED

    def open(self):
        """As an honest peer would."""
        self.offer()
        self.close_parts()
        if not self.is_accepted():
            raise Failed("an honest offer is refused")
        self.mark()
        return self

    def mark(self):
        send_marker(self.a, self.identity)

    def bar(self, position):
        send_barrier(self.a, self.identity, position)

    def put(self, kind, aux=0, payload=b""):
        """A record; what is in it is nobody's business here. Who reads it at once may have ended the lane for it before the bell is rung."""
        try:
            self.commit(kind, aux, payload, deadline(PATIENCE))
        except Disconnected:
            pass

    def put_header(self, header):
        """A word where the next record's header belongs."""
        self.ring.u64[self.ring.header_index(self.head)] = header
        self.ring_reader()

    def ring_reader(self):
        """Whether it sleeps or not."""
        self.ring.take_waits(256 // 4)
        try:
            self.sock.send(b"B", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            pass

    def message(self, id_=7, answer=OK, **fields):
        encoding, body = self.a.body(id_, **fields)
        self.put(RECORD_MESSAGE, encoding, body)
        self.a.expect(answer)

    def settle(self):
        """Waits until all is read: True; or until the lane has ended: False."""
        end = deadline(PATIENCE)
        while self.ring.u64[TAIL] != self.head:
            if has_ended(self.sock):
                return False
            if time.monotonic() > end:
                raise Failed("a lane is not read")
            time.sleep(0.0005)
        return True

    def must_be_read(self):
        if not self.settle():
            raise Failed("a lane has ended that makes sense")

    def must_end(self):
        poller = select.poll()
        poller.register(self.sock, 0)
        if not poller.poll(PATIENCE * 1000):
            raise Failed("a lane goes on that makes no sense")

    def must_go_on(self):
        """Another message gets through."""
        self.message()
        self.must_be_read()

    def leave(self):
        """Its sender's end; what is in it is read, and the lane is gone then."""
        self.sock.shutdown(socket.SHUT_WR)
        self.must_end()


class Beside:
    """An honest sender of the same channel, with a lane and a bit to say, before and after."""

    def __init__(self, a):
        self.lane = Lane(a).open()
        self.lane.must_go_on()

    def must_be_well(self):
        for _ in range(3):
            self.lane.must_go_on()


def sync(a):
    """Waits until the channel's socket has been read so far."""
    lane = Lane(a)
    lane.offer()
    lane.close_parts()
    hear(lane.sock)
    lane.sock.shutdown(socket.SHUT_WR)
    drain_bells(lane.sock)

