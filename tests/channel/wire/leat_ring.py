"""A lane's memory through mmap, and its bells. Written from channel/WIRE.md alone: "Lanes".

What is relied on for order in memory, where the page asks for release, acquire, whole words and full fences:

- A word is loaded and stored by an index into memoryview.cast(): CPython copies it by a memcpy() of constant size at an aligned address, which
  compilers make one instruction. (struct.pack_into() would do for numbers of the machine's own format only.)
- x86-64 keeps stores in their order, and loads in theirs: each store is a release there, each load an acquire. Only a store may be overtaken by a
  later load; then a full fence is needed, and any instruction with a lock prefix is one. A lock that is taken and given back executes two.
  The compiler is kept from reordering by the calls of the interpreter in between.
- There is no atomic exchange. The page says what to do instead: store 0 and ring.

On machines with a weaker order this is wrong: the lock is no full fence there, and Python has no release. So IS_SAFE says whether it may be used.
"""

import mmap
import platform
import socket
import threading

IS_SAFE = platform.machine() == "x86_64" and platform.python_implementation() == "CPython"

WORDS = 4096
TAIL = 128 // 8
READER_WAITS, READER_CLOSED, WRITER_WAITS = 256 // 4, 264 // 4, 384 // 4
RECORD_MESSAGE, RECORD_PACKET, RECORD_FIRST, RECORD_PIECE, RECORD_ABORT = range(1, 6)
MIN_DATA, MAX_DATA, MIN_LIMIT = 4096, 2**30, 2048
MAX_STREAM = 2**24 + 4096
RECORDS_AT_ONCE = 64  # Pieces that are taken without a message before something else has its turn.
BELL, ACCEPTED, REFUSED = b"B", b"A", b"R"

_lock = threading.Lock()


def fence():
    _lock.acquire()
    _lock.release()


def round_up(size):
    return (size + 7) & ~7


class Ring:
    """The memory, as words and data."""

    def __init__(self, fd, size, limit):
        self.size, self.limit = size, limit
        self.largest = (limit & ~7) - 24
        self.mapping = mmap.mmap(fd, WORDS + size)
        self.bytes = memoryview(self.mapping)
        self.u64 = self.bytes.cast("Q")
        self.u32 = self.bytes.cast("I")

    def close(self):
        for view in (self.u32, self.u64, self.bytes):
            view.release()
        self.mapping.close()

    def header_index(self, position):
        return (WORDS + position % self.size) // 8

    def parts(self, position, size):
        """Where these bytes are: one place, or two when they go over the end."""
        start = position % self.size
        first = min(size, self.size - start)
        return slice(WORDS + start, WORDS + start + first), slice(WORDS, WORDS + size - first)

    def read(self, position, size):
        one, two = self.parts(position, size)
        return bytes(self.bytes[one]) + bytes(self.bytes[two])

    def write(self, position, data):
        one, two = self.parts(position, len(data))
        split = one.stop - one.start
        self.bytes[one], self.bytes[two] = data[:split], data[split:]

    def take_waits(self, word):
        """Whether to ring: the other side sleeps, or is about to."""
        fence()
        if self.u32[word] == 0:
            return False
        self.u32[word] = 0
        return True


def ring_bell(sock):
    try:
        sock.send(BELL, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except BlockingIOError:
        pass  # It is full of bells.


def drain_bells(sock):
    """Takes nothing but bells. False: something else is there, or the end."""
    while True:
        try:
            if not 0 < len(sock.recv(24, socket.MSG_PEEK | socket.MSG_DONTWAIT)) < 24:
                return False
            sock.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            continue  # Said once.
