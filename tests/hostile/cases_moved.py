"""Receivers with lanes that are given away by a liar: every field of their rows, their descriptors, and what is in their rings. The message
is refused, or the receiver works as far as it makes sense; nobody waits for it."""

import os
import random
import socket
import struct

from cases_offers import memfd, punch
from hostile import CHANNEL_WAYS, DISCONNECTED, MALFORMED, OK, PATIENCE, TOO_LARGE, Failed, case, number
from lanes import Lane, has_ended, need_lanes
from leat_lane_reader import HEAD, ROW, ROW_DROPS, ROW_GATHERS, ROW_HUNG, ROW_OPEN
from leat_packets import ALL_SEALS, SIZE_SEALS, deadline, make_memory
from leat_peer import ROW_RECEIVER_WITH_LANES
from leat_ring import MAX_STREAM, RECORD_ABORT, RECORD_FIRST, RECORD_MESSAGE, RECORD_PACKET, RECORD_PIECE, WORDS, Ring
from leat_types import PLAIN, encode
from scribble import BOUNDARIES, Settings

WAYS = CHANNEL_WAYS
ANYTHING = (OK, MALFORMED, TOO_LARGE)
HEAD_FIELDS = ("n", "is_barred", "barrier", "barrier_position")
ROW_FIELDS = ("identity", "size", "limit", "position", "total", "arrived", "flags", "encoding", "zero")


class Given:
    """A receiver of numbers with lanes, as it goes into a parcel: honest, until it is spoiled."""

    def __init__(self, a, n_lanes=1, size=4096):
        self.a = a
        self.size = size
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours = a.keep(ours)
        self.head = dict(n=n_lanes, is_barred=0, barrier=bytes(16), barrier_position=0)
        self.gathered, self.rows, self.fds, self.socks, self.memories = [], [], [self.theirs.detach()], [], []
        for _ in range(n_lanes):
            self.add_lane()

    def add_lane(self):
        sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = make_memory(SIZE_SEALS, bytes(WORDS + self.size))
        self.socks.append(self.a.keep(sock))
        self.memories.append(self.a.keep(os.dup(memory)))
        self.rows.append(dict(identity=self.a.random.randbytes(16), size=self.size, limit=self.size, position=0, total=0, arrived=0,
                              flags=ROW_OPEN, encoding=0, zero=bytes(6)))
        self.fds += [memory, theirs.detach()]

    def put(self, lane, *records):
        """One behind the other, from the start."""
        ring = Ring(self.memories[lane], self.size, self.size)
        at = 0
        for kind, aux, payload in records:
            ring.write(at, struct.pack("<Q", len(payload) | kind << 32 | aux << 40) + payload)
            at += 8 + len(payload) + -len(payload) % 8
        ring.close()

    def gather(self, data, lane=0):
        """`data` of a message in pieces has come already."""
        self.rows[lane].update(flags=ROW_OPEN | ROW_GATHERS, total=8, arrived=len(data), encoding=PLAIN)
        self.fds.insert(1, make_memory(ALL_SEALS, data))
        return self

    def table(self):
        head = HEAD.pack(*(self.head[field] for field in HEAD_FIELDS))
        return (bytes([ROW_RECEIVER_WITH_LANES, 0]) + number.fingerprint().bytes() + head
                + b"".join(ROW.pack(*(row[field] for field in ROW_FIELDS)) for row in self.rows))

    def send(self, answer, table=None, n=None):
        """Its descriptors are gone afterwards."""
        table = self.table() if table is None else table
        self.a.send(self.a.message(values=0, table=table, n=len(self.fds) if n is None else n), self.fds, answer=answer)
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        return self


def numbers(*ids):
    return [(RECORD_MESSAGE, *encode(number, {"id": id_}, None)) for id_ in ids]


@case("a receiver with lanes, honestly given", answer=None, ways=WAYS)
def honest(a):
    for n_lanes in (1, 2, 64, 119):
        given = Given(a, n_lanes)
        for lane in range(n_lanes):
            given.put(lane, *numbers(1, 2))
        given.send(OK)
    Given(a).gather(b"1234").send(OK)


@case("a given receiver's head with every field spoiled", answer=None, ways=WAYS)
def heads(a):
    for field, values, answer in (("n", (0, 2, 3, 120, 0x7fff, 0xffff), MALFORMED), ("is_barred", (2, 3, 128, 255), MALFORMED),
                                  ("barrier_position", BOUNDARIES, OK), ("barrier", (b"\xff" * 16,), OK)):
        for value in values:
            given = Given(a)
            given.head[field] = value
            given.put(0, *numbers(1))
            given.send(answer)
    for at in range(5):
        given = Given(a)
        table = bytearray(given.table())
        table[len(table) - ROW.size - HEAD.size + 3 + at] = 1
        given.send(MALFORMED, table)


@case("a given receiver that is barred, by its own lane or another", answer=None, ways=WAYS)
def barred(a):
    for position in BOUNDARIES:
        for own in (True, False):
            given = Given(a, 2)
            given.head.update(is_barred=1, barrier_position=position,
                              barrier=given.rows[1]["identity"] if own else a.random.randbytes(16))
            given.put(0, *numbers(1))
            given.put(1, *numbers(1, 2))
            given.send(OK)


@case("a given lane's row with every field spoiled", answer=None, ways=WAYS)
def rows(a):
    spoiled = [("size", value) for value in BOUNDARIES if value != 4096]
    spoiled += [("limit", value) for value in BOUNDARIES if not 2048 <= value <= 4096]
    spoiled += [("position", value) for value in BOUNDARIES if value % 8]
    spoiled += [(field, value) for field in ("total", "arrived") for value in BOUNDARIES if value]
    spoiled += [("encoding", value) for value in (1, 2, 3, 128, 255)]
    spoiled += [("flags", value) for value in range(1, 256) if value not in (ROW_OPEN, ROW_HUNG, ROW_OPEN | ROW_HUNG)]
    spoiled += [("zero", bytes(at) + b"\1" + bytes(5 - at)) for at in range(6)]
    for field, value in spoiled:
        given = Given(a)
        given.rows[0][field] = value
        given.send(MALFORMED)


@case("a given lane that stands where no record is", answer=None, ways=WAYS)
def positions(a):
    for position in [value for value in BOUNDARIES if value % 8 == 0]:
        for flags in (0, ROW_OPEN, ROW_OPEN | ROW_HUNG, ROW_HUNG):
            given = Given(a)
            given.put(0, *numbers(1, 2, 3))
            given.rows[0].update(position=position, flags=flags)
            given.send(OK)


@case("a given lane with pieces of a message, of which every field is spoiled", answer=None, ways=WAYS)
def gathered(a):
    for field, value, answer in (("total", 0, MALFORMED), ("total", 4, MALFORMED), ("total", 5, OK), ("total", MAX_STREAM, OK),
                                 ("total", MAX_STREAM + 1, MALFORMED), ("total", 2**64 - 1, MALFORMED), ("arrived", 0, MALFORMED),
                                 ("arrived", 3, MALFORMED), ("arrived", 5, MALFORMED), ("arrived", 8, MALFORMED),
                                 ("arrived", 2**64 - 1, MALFORMED), ("encoding", 255, OK), ("flags", ROW_GATHERS, MALFORMED),
                                 ("flags", ROW_OPEN | ROW_DROPS, MALFORMED), ("flags", ROW_OPEN | ROW_GATHERS | ROW_DROPS, MALFORMED),
                                 ("flags", ROW_OPEN | ROW_GATHERS | ROW_HUNG, OK)):
        given = Given(a).gather(b"1234")
        given.rows[0][field] = value
        given.put(0, (RECORD_PIECE, 0, b"5678"), *numbers(3))
        given.send(answer)
    given = Given(a, 2).gather(b"1234")
    given.gather(b"5", lane=1)
    given.send(MALFORMED)  # Memory for each, where there is to be one for all.


@case("a given lane's pieces in memory that is none", answer=None, ways=WAYS)
def gathered_memory(a):
    for memory in (memfd(size=4, seals=SIZE_SEALS), memfd(size=4, seals=ALL_SEALS, fill=False), memfd(size=4096, seals=ALL_SEALS),
                   os.open("/dev/zero", os.O_RDWR), *os.pipe(), os.dup(a.sock.fileno())):
        given = Given(a).gather(b"1234")
        os.close(given.fds[1])
        given.fds[1] = memory
        given.send(MALFORMED)


@case("a given receiver's table, cut off after each byte, and with more behind it", answer=None, ways=WAYS)
def cut(a):
    for size in range(len(Given(a).table())):
        given = Given(a)
        given.send(MALFORMED, given.table()[:size])
    for more in (b"\0", b"\1", bytes(64), b"\5"):
        given = Given(a)
        given.send(MALFORMED, given.table() + more)


@case("a given receiver with fewer descriptors than its lanes have, or more", answer=None, ways=WAYS)
def descriptors(a):
    for n in (0, 1, 2, 4, 5, 100, 240):
        given = Given(a)
        while len(given.fds) > n:
            os.close(given.fds.pop())
        while len(given.fds) < n:
            given.fds.append(os.dup(given.fds[0]))
        given.send(MALFORMED)
    given = Given(a, 119)
    given.add_lane()
    given.head["n"] = 120
    given.send(MALFORMED)


@case("a given receiver with other things among its descriptors", answer=None, ways=WAYS)
def other_things(a):
    null, tcp = a.keep(os.open("/dev/null", os.O_RDWR)), a.keep(socket.socket())
    stream = a.keep(socket.socketpair()[0])
    for place in range(3):
        for thing in (null, tcp.fileno(), stream.fileno(), a.keep(memfd(seals=0)), a.keep(memfd(seals=ALL_SEALS))):
            given = Given(a)
            os.dup2(thing, given.fds[place])
            given.send(MALFORMED)
    for one, other in ((1, 2), (0, 1), (2, 1)):  # One for the other.
        given = Given(a)
        os.dup2(given.fds[one], given.fds[other])
        given.send(MALFORMED)
    for memory in (memfd(size=WORDS + 4096, fill=False), memfd(size=WORDS + 8192), memfd(size=4096), memfd(size=WORDS + 4096, seals=ALL_SEALS)):
        given = Given(a)
        os.dup2(memory, given.fds[1])
        os.close(memory)
        given.send(MALFORMED)


@case("a given receiver whose lane is the channel by which it comes", answer=None, ways=[way for way in WAYS if way != "opaque"])
def leads_here(a):
    """Without a name it is nobody's that a receiver reads from: it may come to one. (One that was moved with its lanes has a name.)"""
    for _ in range(2):
        given = Given(a)
        os.dup2(a.sock.fileno(), given.fds[2])
        given.send(OK)


@case("a given receiver whose lane is the channel by which it comes, and which has a name", answer=None, ways=WAYS, needs=need_lanes)
def leads_here_by_name(a):
    """It is dropped with its message, and so its lane is shut down: that is the attacker's end of the channel, who can do that anyway."""
    Lane(a).open()
    given = Given(a)
    os.dup2(a.sock.fileno(), given.fds[2])
    given.send(MALFORMED)
    a.expect(DISCONNECTED)


@case("a given receiver whose sockets lead back, or twice to the same", answer=None, ways=WAYS)
def leads_back(a):
    given = Given(a)
    os.dup2(given.ours.fileno(), given.fds[2])  # Its own sender.
    given.send(MALFORMED)
    given = Given(a)
    os.dup2(given.fds[0], given.fds[2])
    given.send(OK)
    given = Given(a, 2)
    os.dup2(given.socks[0].fileno(), given.fds[4])  # Each the other's end.
    given.send(MALFORMED)
    given = Given(a, 2)
    given.rows[1]["identity"] = given.rows[0]["identity"]
    given.send(MALFORMED)


@case("a given receiver with rings full of nonsense", answer=None, ways=WAYS)
def nonsense(a):
    for records in ([(RECORD_PIECE, 0, b"")], [(RECORD_ABORT, 0, b"")], [(RECORD_PACKET, 0, b"")], [(0, 1, b"1234")], [(255, 0, b"")],
                    [(RECORD_FIRST, PLAIN, bytes(8))] * 200, [(RECORD_FIRST, PLAIN, struct.pack("<Q", 100)),
                                                               *[(RECORD_PIECE, 0, b"")] * 400],
                    [(RECORD_MESSAGE, 255, b"")] * 400, [(RECORD_MESSAGE, PLAIN, b"1")] * 200):
        given = Given(a)
        given.put(0, *records)
        given.send(OK)
        full = Given(a)
        punch(full.memories[0], 0, WORDS + full.size)
        full.send(MALFORMED)


@case("a receiver with lanes in a message with too many handles", answer=TOO_LARGE, ways=("alone", "set", "router"), options="handles=2")
def too_many(a):
    for n_lanes in (1, 2, 64):
        given = Given(a, n_lanes)
        for sock in given.socks:
            sock.send(b"B")  # With something unread in it, it is closed late.
        given.send(TOO_LARGE)
        for sock in given.socks:
            end = deadline(PATIENCE)
            while not has_ended(sock):
                if deadline(0) > end:
                    raise Failed("a lane is not ended with its receiver")


@case("a given receiver's rows and rings at random", answer=None, ways=WAYS, memory=128)
def at_random(a):
    a.wild = ANYTHING
    for i in range(20 * Settings.rounds):
        dice = random.Random(f"{Settings.seed} moved {i}")
        given = Given(a, dice.choice((1, 1, 2, 5)))
        for _ in range(dice.choice((0, 1, 1, 2, 5))):
            spoil(given, dice)
        table = bytearray(given.table())
        for _ in range(dice.choice((0, 0, 1, 3))):
            table[dice.randrange(len(table) - ROW.size * len(given.rows) - HEAD.size, len(table))] = dice.randrange(256)
        given.send(ANYTHING, bytes(table))
        for sock in given.socks[1:]:
            sock.shutdown(socket.SHUT_RDWR)
    Settings.n_rounds += i + 1


def spoil(given, dice):
    row = dice.choice(given.rows)
    what = dice.randrange(4)
    if what == 0:
        given.head[dice.choice(("n", "is_barred"))] = dice.choice((0, 1, 2, 5, 255))
    elif what == 1:
        row[dice.choice(("size", "limit", "position", "total", "arrived"))] = dice.choice(BOUNDARIES)
    elif what == 2:
        row[dice.choice(("flags", "encoding"))] = dice.randrange(256)
    else:
        lane = given.rows.index(row)
        os.pwrite(given.memories[lane], dice.randbytes(dice.choice((8, 100, 4096))), WORDS + dice.randrange(4) * 8)
