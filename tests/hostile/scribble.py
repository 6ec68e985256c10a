"""One who writes into the memory of a lane what he likes, where and when he likes: before it is read, while it is read (a thread of its own
copies bytes over it, as fast as the machine does), and when it is over. Boundary values, and chance; a round is made from its seed alone, but
for the moments at which the victim looks."""

import ctypes
import os
import socket
import struct
import threading
import time

from cases_offers import punch
from hostile import MALFORMED, OK, TOO_LARGE, TYPE_MISMATCH, VERSION_MISMATCH
from lanes import Lane, send_barrier, send_now
from leat_ring import RECORD_ABORT, RECORD_FIRST, RECORD_MESSAGE, RECORD_PACKET, RECORD_PIECE, WORDS
from leat_types import MESSAGEPACK, PLAIN, RAW

WILD = (OK, MALFORMED, TOO_LARGE, TYPE_MISMATCH, VERSION_MISMATCH)
KINDS = (RECORD_MESSAGE,) * 6 + (RECORD_PACKET, RECORD_FIRST, RECORD_PIECE, RECORD_ABORT, 0, 6, 255)
BOUNDARIES = (0, 1, 2, 3, 7, 8, 9, 16, 23, 24, 32, 0x7f, 0x80, 0xff, 0x100, 2047, 2048, 4095, 4096, 65535, 65536, 2**20, 2**24,
              2**24 + 4096, 2**24 + 4097, 2**30, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1, 2**32, 2**40, 2**48, 2**63 - 1, 2**63,
              2**64 - 8, 2**64 - 1)
WORD_PLACES = (128, 132, 256, 260, 264, 272, 276, 384, 388, 392, 396)
LIMITS = (2048, 4096, 16384, 65536)

libc = ctypes.CDLL(None)
libc.memcpy.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Settings:
    """Of the battery, and what it tells."""
    seed, rounds = 0, 3
    n_rounds = n_stores = 0


class Scribbler(threading.Thread):
    """Copies pieces of an image over the ring, where they belong and where they do not; calls of C go on beside Python's."""

    def __init__(self, lane, images, dice):
        super().__init__()
        self.lane, self.images, self.dice = lane, images, dice
        self.over, self.n_stores = False, 0
        self.start()

    def run(self):
        ring, dice = self.lane.ring, self.dice
        start = ctypes.addressof(ctypes.c_char.from_buffer(ring.mapping))
        places = [dice.randrange(ring.size // 8) * 8 for _ in range(64)] + [0] * 16
        while not self.over:
            image = dice.choice(self.images)
            at, size = dice.choice(places), dice.choice((1, 8, 8, 64, 1024, 4096))
            size = min(size, ring.size - at, len(image))
            offset = at if dice.random() < 0.8 and at + size <= len(image) else dice.randrange(len(image) - size + 1)
            libc.memcpy(start + WORDS + at, ctypes.addressof(image) + offset, size)
            self.n_stores += 1

    def stop(self):
        self.over = True
        self.join()


def record(kind, aux, payload):
    padded = payload + bytes(-len(payload) % 8)
    return struct.pack("<Q", len(payload) | kind << 32 | aux << 40) + padded


class Round:
    def __init__(self, a, dice):
        self.a, self.dice = a, dice
        self.encoding, self.body = a.body(dice.getrandbits(40))
        self.lane = Lane(a, limit=dice.choice([limit for limit in LIMITS if limit > 2 * len(self.body)]))
        self.ring = self.lane.ring
        self.memory = a.keep(os.dup(self.lane.memory))
        self.head = 0
        self.steps = (self.append,) * 8 + (self.store_word,) * 4 + (self.store_header,) * 3 + (
            self.store_bytes, self.flip_byte, self.flip_byte, self.bell, self.bell, self.packet, self.bar, self.punch,
            self.drain, self.pause)

    # ---- what it does ----

    def random_record(self):
        dice = self.dice
        kind = dice.choice(KINDS)
        aux = dice.choice((self.encoding,) * 6 + (0, PLAIN, MESSAGEPACK, RAW, 4, 255))
        if kind == RECORD_FIRST:
            total = dice.choice((len(self.body), dice.choice(BOUNDARIES)))
            return record(kind, aux, struct.pack("<Q", total) + self.body[:dice.choice((0, 8, 16))])
        if kind == RECORD_MESSAGE or dice.random() < 0.3:
            return record(kind, aux, self.body[:dice.choice((0, 1, 8, 1000, 1000, 1000, 1000))])
        return record(kind, aux, b"")

    def image(self):
        """What could be in a ring of this size: records one behind the other, mostly honest."""
        parts = b"".join(self.random_record() if self.dice.random() < 0.2 else record(RECORD_MESSAGE, self.encoding, self.body)
                         for _ in range(1 + self.ring.size // 64))
        return ctypes.create_string_buffer(parts[:self.ring.size].ljust(self.ring.size, b"\0"), self.ring.size)

    def append(self):
        """One more record where the next belongs, room or not; the zero behind it first."""
        data = self.random_record() if self.dice.random() < 0.15 else record(RECORD_MESSAGE, self.encoding, self.body)
        self.ring.write(self.head + 8, data[8:])
        self.ring.u64[self.ring.header_index(self.head + len(data))] = 0
        self.ring.u64[self.ring.header_index(self.head)] = struct.unpack_from("<Q", data)[0]
        self.head += len(data)
        self.bell()

    def store_word(self):
        value, place = self.dice.choice(BOUNDARIES), self.dice.choice(WORD_PLACES + (4 * self.dice.randrange(1024),))
        if place % 8 or self.dice.random() < 0.5:
            self.ring.u32[place // 4] = value & 0xffffffff
        else:
            self.ring.u64[place // 8] = value

    def store_header(self):
        dice = self.dice
        header = dice.choice((dice.choice(BOUNDARIES), dice.choice(BOUNDARIES) & 0xffffffff | dice.choice(KINDS) << 32
                              | self.encoding << 40, dice.getrandbits(64)))
        self.ring.u64[self.ring.header_index(self.head - 8 * dice.randrange(0, 40))] = header

    def store_bytes(self):
        self.ring.write(self.dice.randrange(self.ring.size), self.dice.randbytes(self.dice.choice((1, 8, 64, 512))))

    def flip_byte(self):
        """In the message that was written last."""
        at = WORDS + (self.head - 1 - self.dice.randrange(len(self.body) + 8)) % self.ring.size
        self.ring.bytes[at] = self.dice.choice((0, 1, 2, 3, 0x7f, 0x80, 0xc1, 0xff, self.ring.bytes[at] ^ 1))

    def bell(self):
        self.lane.ring_reader()

    def packet(self):
        data = self.dice.choice((b"", b"B" * 23, self.a.message(), self.a.packet(tag=bytes(4)), bytes(100)))
        try:
            send_now(self.lane.sock, data, [self.memory] * self.dice.choice((0, 0, 1, 3)))
        except OSError:
            pass

    def bar(self):
        send_barrier(self.a, self.lane.identity, max(0, self.head + self.dice.choice((-8, 0, 8, 64, 4096))))

    def punch(self):
        if self.dice.random() < 0.1:
            punch(self.memory, self.dice.choice((0, WORDS)), self.dice.choice((4096, WORDS + self.ring.size)))

    def drain(self):
        try:
            self.lane.sock.recv(1, socket.MSG_DONTWAIT)
        except OSError:
            pass

    def pause(self):
        time.sleep(self.dice.choice((0, 0.00005, 0.0005)))

    # ---- one round ----

    def run(self):
        dice, n_steps = self.dice, 0
        for _ in range(dice.choice((0, 0, 5, 50))):  # Before it is open.
            dice.choice((self.append, self.store_word, self.store_header, self.store_bytes))()
        self.lane.open()  # It may be read, and at its end, before its marker is sent.
        scribbler = Scribbler(self.lane, [self.image() for _ in range(3)], dice) if dice.random() < 0.7 else None
        try:
            for _ in range(dice.choice((10, 100, 400))):
                dice.choice(self.steps)()
                n_steps += 1
            self.lane.leave() if dice.random() < 0.7 else self.end()
        finally:
            if scribbler:
                scribbler.stop()
                n_steps += scribbler.n_stores
        Settings.n_rounds += 1
        Settings.n_stores += n_steps

    def end(self):
        """In another way than by leaving it: by what makes no sense."""
        self.lane.sock.shutdown(socket.SHUT_RDWR)
        self.lane.must_end()
