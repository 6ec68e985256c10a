"""The receiver's side of lanes, and what becomes of them when it is given away. Written from channel/WIRE.md alone: "Lanes" and "A receiver with
lanes, given away"."""

import os
import socket
import struct

from leat_packets import (ALL_SEALS, BARRIER, FUTURE_WRITE, HEADER, MARKER, OFFER, SIZE_SEALS, Disconnected, Packet, check_memory,
                          is_channel_socket, make_memory, read_memory, receive_packet, take_socket)
from leat_peer import Message
from leat_ring import (ACCEPTED, IS_SAFE, MAX_DATA, MAX_STREAM, MIN_DATA, MIN_LIMIT, READER_CLOSED, READER_WAITS, RECORD_ABORT,
                       RECORD_FIRST, RECORD_MESSAGE, RECORD_PACKET, RECORD_PIECE, RECORDS_AT_ONCE, REFUSED, TAIL, WORDS, WRITER_WAITS,
                       Ring, drain_bells, fence, ring_bell, round_up)
from leat_types import Malformed


class Stream:
    """A message that comes in pieces. A receiver with a limit may drop it as it comes; this one only goes on with it."""

    def __init__(self, encoding=0, total=0, gathered=b"", arrived=0, is_dropped=False):
        self.encoding, self.total, self.bytes = encoding, total, bytearray(gathered)
        self.arrived, self.is_dropped = arrived, is_dropped


class LaneReader:
    def __init__(self, identity, size, limit, memory, sock, position=0):
        self.identity, self.position, self.published = identity, position, position
        self.memory, self.sock = memory, sock
        self.ring = Ring(memory, size, limit)
        self.is_open = self.is_hung = False
        self.last = None  # Where it is over, once its end was seen.
        self.stream = None  # Of a message that comes in pieces.
        self.sleeps = self.bells = 0  # Counted for who wants to know.

    def close(self):
        self.ring.close()
        os.close(self.memory)
        self.sock.close()

    def say_closed(self):
        self.ring.u32[READER_CLOSED] = 1

    def drop(self, receiver):
        receiver.lanes.remove(self)
        self.close()

    def hang(self):
        if not self.is_hung:
            self.is_hung, self.last = True, self.position + self.ring.limit

    def header(self):
        return self.ring.u64[self.ring.header_index(self.position)]

    def is_empty(self):
        return self.header() == 0 or (self.is_hung and self.position >= self.last)

    def publish(self):
        if self.published == self.position:
            return
        self.ring.u64[TAIL] = self.published = self.position
        if self.ring.take_waits(WRITER_WAITS):
            self.bells += 1
            try:
                ring_bell(self.sock)
            except ConnectionError:
                self.hang()

    def arm(self):
        """Before sleep. False: there is something."""
        self.publish()
        if not self.is_hung:
            drain_bells(self.sock)
        self.ring.u32[READER_WAITS] = 1
        fence()
        if self.is_hung or not self.is_empty():
            self.disarm()
            return False
        self.sleeps += 1
        return True

    def disarm(self):
        self.ring.u32[READER_WAITS] = 0

    def take(self, receiver):
        """The next whole message, or None. What makes no sense ends the lane."""
        if not self.is_open:
            return None
        try:
            message, n_records = None, 0
            while not message and not self.is_empty() and n_records < RECORDS_AT_ONCE:
                message, n_records = self.take_record(), n_records + 1
                if self.position - self.published >= self.ring.limit // 8 or self.ring.u32[WRITER_WAITS]:
                    self.publish()
        except (Malformed, Disconnected):
            self.drop(receiver)
            return None
        if isinstance(message, Packet):
            return receiver.open_message(message)
        if not message and self.is_hung and self.is_empty():
            self.drop(receiver)
        return message

    def take_record(self):
        header = self.header()
        size, kind, aux = header & 0xffffffff, header >> 32 & 0xff, header >> 40 & 0xff
        if kind == 0 or header >> 48 or size > self.ring.largest:
            raise Malformed("no record")
        payload = self.ring.read(self.position + 8, size)
        message = self.open_record(kind, aux, payload)
        self.position += 8 + round_up(size)
        return message

    def open_record(self, kind, aux, payload):
        if (kind in (RECORD_PIECE, RECORD_ABORT)) != bool(self.stream) or (kind in (RECORD_PACKET, RECORD_ABORT) and payload):
            raise Malformed("not now")
        if kind == RECORD_MESSAGE:
            return Message(aux, payload)
        if kind == RECORD_PACKET:
            return self.take_packet()
        if kind == RECORD_ABORT:
            self.stream = None
            return None
        if kind == RECORD_FIRST:
            if len(payload) < 8:
                raise Malformed("no size")
            self.stream = Stream(aux, struct.unpack_from("<Q", payload)[0])
            payload = payload[8:]
        elif kind != RECORD_PIECE:
            raise Malformed("unknown")
        return self.gather(payload)

    def gather(self, piece):
        stream = self.stream
        stream.arrived += len(piece)
        if stream.total > MAX_STREAM or stream.arrived > stream.total:
            raise Malformed("more than announced")
        if not stream.is_dropped:
            stream.bytes += piece
        if stream.arrived < stream.total:
            return None
        self.stream = None
        return None if stream.is_dropped else Message(stream.encoding, bytes(stream.bytes))

    def take_packet(self):
        drain_bells(self.sock)
        came = receive_packet(self.sock)
        if came is None:
            raise Malformed("its packet is not there")
        return came


def give_name(sock):
    """One that the system picks, unless it has one."""
    sock.bind("")


def leads_away(receiver, sock):
    give_name(receiver.sock)
    give_name(sock)
    return not sock.getpeername()


def is_ring(size, limit):
    return MIN_DATA <= size <= MAX_DATA and size & (size - 1) == 0 and MIN_LIMIT <= limit <= size


def is_ring_memory(fd, size):
    try:
        return check_memory(fd, SIZE_SEALS, ALL_SEALS & ~SIZE_SEALS | FUTURE_WRITE) == WORDS + size
    except Malformed:
        return False


def take_control(receiver, came):
    body = came.data[HEADER.size:]
    if len(body) != {OFFER: 32, MARKER: 16, BARRIER: 24}[came.kind]:
        raise Malformed("another size")
    identity, numbers = body[:16], struct.unpack(f"<{(len(body) - 16) // 8}Q", body[16:])
    lane = next((lane for lane in receiver.lanes if lane.identity == identity), None)
    if came.kind == OFFER:
        consider(receiver, identity, *numbers, came, lane)
    elif lane and came.kind == MARKER:
        lane.is_open = True
    elif lane and lane.is_open and numbers[0] > lane.position:
        if numbers[0] - lane.position > lane.ring.limit:
            lane.drop(receiver)
        else:
            receiver.barrier = identity, numbers[0]


def consider(receiver, identity, size, limit, came, namesake):
    if not is_channel_socket(came.fds[1]):
        return
    sock = socket.socket(fileno=came.fds.pop(1))
    accepts = (receiver.grants_lanes and IS_SAFE and not receiver.flags and not namesake and is_ring(size, limit)
               and not sock.getsockname() and leads_away(receiver, sock) and is_ring_memory(came.fds[0], size))
    if accepts:
        lane = LaneReader(identity, size, limit, came.fds.pop(0), sock)
        lane.ring.u32[READER_WAITS] = 1
        receiver.lanes.append(lane)
    try:
        sock.send(ACCEPTED if accepts else REFUSED, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        pass
    if not accepts:
        sock.close()


# ---- a receiver with lanes, given away ----

HEAD = struct.Struct("<HB5x16sQ")
ROW = struct.Struct("<16sQQQQQBB6s")
ROW_OPEN, ROW_HUNG, ROW_GATHERS, ROW_DROPS = 1, 2, 4, 8


def write_lanes(receiver):
    """Rows and descriptors."""
    identity, position = receiver.barrier or (bytes(16), 0)
    rows, fds = HEAD.pack(len(receiver.lanes), 1 if receiver.barrier else 0, identity, position), []
    gathered = b"".join(lane.stream.bytes for lane in receiver.lanes if lane.stream)
    if gathered:
        receiver.gathered = make_memory(ALL_SEALS, gathered)
        fds.append(receiver.gathered)
    for lane in receiver.lanes:
        lane.publish()
        stream = lane.stream or Stream()
        flags = ((ROW_OPEN if lane.is_open else 0) | (ROW_HUNG if lane.is_hung else 0) | (ROW_GATHERS if lane.stream else 0)
                 | (ROW_DROPS if stream.is_dropped else 0))
        rows += ROW.pack(lane.identity, lane.ring.size, lane.ring.limit, lane.position, stream.total, stream.arrived, flags,
                         stream.encoding, bytes(6))
        fds += [lane.memory, lane.sock.fileno()]
    return rows, fds


def read_lanes(receiver, table, fds):
    """Returns the rest of the table."""
    if len(table) < HEAD.size or any(table[3:8]) or receiver.flags:
        raise Malformed("no lanes")
    n, is_barred, barrier_identity, barrier_position = HEAD.unpack_from(table)
    end = HEAD.size + n * ROW.size
    if n == 0 or is_barred > 1 or len(table) < end:
        raise Malformed("no lanes")
    rows = [ROW.unpack_from(table, HEAD.size + i * ROW.size) for i in range(n)]
    bring = [row[5] if row[6] & (ROW_GATHERS | ROW_DROPS) == ROW_GATHERS else 0 for row in rows]
    if len(fds) < 2 * n + (1 if sum(bring) else 0):
        raise Malformed("too few descriptors")
    gathered = b""
    if sum(bring):
        if check_memory(fds[0], ALL_SEALS) != sum(bring):
            raise Malformed("another number of bytes")
        gathered = read_memory(fds[0], sum(bring))
        os.close(fds.pop(0))
    for row, n_bytes in zip(rows, bring):
        read_lane(receiver, row, gathered[:n_bytes], fds)
        gathered = gathered[n_bytes:]
    if is_barred:
        receiver.barrier = barrier_identity, barrier_position
    return table[end:]


def read_lane(receiver, row, gathered, fds):
    identity, size, limit, position, total, arrived, flags, encoding, zero = row
    if (flags > 15 or any(zero) or position % 8 or not is_ring(size, limit) or not is_ring_memory(fds[0], size) or not IS_SAFE
            or any(lane.identity == identity for lane in receiver.lanes)):
        raise Malformed("no lane")
    memory = fds.pop(0)
    try:
        sock = take_socket(fds)
        if not leads_away(receiver, sock):
            sock.close()
            raise Malformed("leads back")
    except BaseException:
        fds.insert(0, memory)
        raise
    lane = LaneReader(identity, size, limit, memory, sock, position)
    receiver.lanes.append(lane)
    lane.is_open = bool(flags & ROW_OPEN)
    if flags & ROW_GATHERS:
        if not lane.is_open or total > MAX_STREAM or arrived >= total:
            raise Malformed("no such message")
        lane.stream = Stream(encoding, total, gathered, arrived, bool(flags & ROW_DROPS))
    elif flags & ROW_DROPS or total or arrived or encoding:
        raise Malformed("of no message")
    if flags & ROW_HUNG:
        lane.hang()
