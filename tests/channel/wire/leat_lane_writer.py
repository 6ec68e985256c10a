"""The sender's side of a lane. Written from channel/WIRE.md alone: "Lanes"."""

import os
import select
import socket
import struct

from leat_packets import (MARKER, OFFER, SIZE_SEALS, Disconnected, deadline, make_memory, packet, send_bytes, send_message, wait)
from leat_peer import ORDERED
from leat_ring import (ACCEPTED, MAX_STREAM, MIN_DATA, READER_CLOSED, READER_WAITS, RECORD_FIRST, RECORD_MESSAGE, RECORD_PACKET,
                       RECORD_PIECE, TAIL, WORDS, WRITER_WAITS, Ring, drain_bells, fence, ring_bell, round_up)


class LaneWriter:
    """Made for a sender by offer()."""

    def __init__(self, limit):
        size = MIN_DATA
        while size < limit:
            size *= 2
        self.identity = os.urandom(16)
        self.memory = make_memory(SIZE_SEALS, bytes(WORDS + size))
        self.ring = Ring(self.memory, size, limit)
        self.sock, self.their_sock = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.head = self.tail = self.barred = 0
        self.state = "offered"
        self.waits = 0  # For room, asleep.

    def close(self):
        self.ring.close()
        self.sock.close()

    def may_open(self, sender, until):
        """Whether the message that comes next goes by the lane."""
        if self.state == "offered":
            self.hear_answer()
        if self.state == "accepted":
            send_bytes(sender.sock, packet(MARKER, sender.fingerprint.tag, self.identity), [], until)
            self.state = "open"
        if self.state == "refused":
            sender.lane = None
            self.close()
            return False
        return self.state == "open"

    def hear_answer(self):
        try:
            self.state = "accepted" if self.sock.recv(2, socket.MSG_DONTWAIT) == ACCEPTED else "refused"
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.state = "refused"

    def barrier(self):
        """Its body, for what is committed."""
        return self.identity + struct.pack("<Q", self.head)

    def end(self):
        self.state = "ended"
        raise Disconnected()

    def look_at_tail(self):
        tail = self.ring.u64[TAIL]
        if not self.tail <= tail <= self.head or tail % 8:
            self.end()
        self.tail = tail

    def has_room(self, size):
        needed = 8 + round_up(size) + 8 + (8 if size else 0)
        if self.head - self.tail + needed > self.ring.limit:
            self.look_at_tail()
        return self.head - self.tail + needed <= self.ring.limit

    def wait_for_room(self, size, until):
        if self.ring.u32[READER_CLOSED]:
            self.end()
        while not self.has_room(size):
            self.ring.u32[WRITER_WAITS] = 1
            fence()
            if not self.has_room(size):
                self.waits += 1
                wait([self.sock.fileno()], select.POLLIN, until)
                if not drain_bells(self.sock) or self.ring.u32[READER_CLOSED]:
                    self.end()
            self.ring.u32[WRITER_WAITS] = 0

    def commit(self, kind, aux, payload, until):
        self.wait_for_room(len(payload), until)
        self.ring.write(self.head + 8, payload)
        behind = self.head + 8 + round_up(len(payload))
        self.ring.u64[self.ring.header_index(behind)] = 0
        self.ring.u64[self.ring.header_index(self.head)] = len(payload) | kind << 32 | aux << 40
        self.head = behind
        if self.ring.take_waits(READER_WAITS):
            try:
                ring_bell(self.sock)
            except ConnectionError:
                self.end()

    def send(self, tag, encoding, body, table, fds, until):
        if self.state == "ended":
            self.end()
        if fds or len(body) > MAX_STREAM:
            self.wait_for_room(0, until)
            send_message(self.sock, tag, encoding, body, table, fds, until)
            self.commit(RECORD_PACKET, 0, b"", until)
        elif len(body) <= self.ring.limit // 2 - 32:
            self.commit(RECORD_MESSAGE, encoding, body, until)
        else:
            self.send_in_pieces(encoding, body, until)

    def send_in_pieces(self, encoding, body, until):
        step = self.ring.limit // 8 & ~7
        self.commit(RECORD_FIRST, encoding, struct.pack("<Q", len(body)) + body[:step - 8], until)
        for offset in range(step - 8, len(body), step):
            self.commit(RECORD_PIECE, 0, body[offset:offset + step], until)


def offer(sender, limit=2**20):
    """The sender goes on by its socket; with the first message after the answer it is in its lane, or will never be."""
    if sender.flags & ORDERED:
        return
    sender.lane = lane = LaneWriter(limit)
    body = lane.identity + struct.pack("<QQ", lane.ring.size, limit)
    send_bytes(sender.sock, packet(OFFER, sender.fingerprint.tag, body), [lane.memory, lane.their_sock.fileno()],
               deadline(20))
    os.close(lane.memory)
    lane.their_sock.close()
