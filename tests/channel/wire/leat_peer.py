"""Ends of channels in Python: handles, senders, receivers, servers. Written from channel/WIRE.md alone: "Handles" and "Servers". Lanes are in
leat_lane_writer.py and leat_lane_reader.py.

    receiver = Server(type, path).accept()        sender = connect(type, path)
    sender, receiver = channel(type)              sender.send(message)
    message = receiver.recv()

In messages handles are objects: Descriptor, Memory, Sender, Receiver. What is received belongs to whoever received it. Sending lends descriptors,
memory and senders, and gives receivers.
"""

import os
import select
import socket
import struct

import leat_types
from leat_packets import (ALL_SEALS, BARRIER, GREETING, HEADER, MARKER, MESSAGE, OFFER, SEALED, Disconnected, check_memory, deadline,
                          make_memory, packet, read_memory, receive_packet, send_bytes, send_message, take_socket, wait)
from leat_types import Fingerprint, Malformed, TypeMismatch

ROW_DESCRIPTOR, ROW_MEMORY, ROW_SENDER, ROW_RECEIVER, ROW_RECEIVER_WITH_LANES = range(1, 6)
ORDERED = 1


class Refused(Exception):
    """There is no such server."""


# ---- handles ----

class Descriptor:
    def __init__(self, fd):
        self.fd = fd

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def row(self, until):
        return bytes([ROW_DESCRIPTOR]), [self.fd]


class Memory(Descriptor):
    """Sealed shared memory."""

    @classmethod
    def of(cls, data):
        return cls(make_memory(ALL_SEALS, data))

    @property
    def data(self):
        return read_memory(self.fd, os.fstat(self.fd).st_size)

    def row(self, until):
        return bytes([ROW_MEMORY]), [self.fd]


class End:
    """A socket, and what is known of its channel."""

    def __init__(self, sock, fingerprint, type_, flags=0):
        self.sock, self.fingerprint, self.type, self.flags = sock, fingerprint, type_, flags

    def become(self, type_):
        """It was referred to by a field that wants this type, or is opaque and is to be of this type now."""
        if type_ is not leat_types.opaque and not self.fingerprint.is_compatible(type_.fingerprint()):
            raise TypeMismatch()
        self.type = type_

    def row_of(self, kind):
        return bytes([kind, self.flags]) + self.fingerprint.bytes()


class Sender(End):
    def __init__(self, sock, fingerprint, type_, flags=0):
        super().__init__(sock, fingerprint, type_, flags)
        self.lane = None  # See leat_lane_writer.py.
        self.barrier = b""  # What has to go before its first message.

    def send(self, message, seconds=20):
        until = deadline(seconds)
        handles = []
        encoding, body = leat_types.encode(self.type, message, lambda handle: handles.append(handle) or len(handles) - 1)
        rows = [handle.row(until) for handle in handles]
        table, fds = b"".join(row for row, _ in rows), [fd for _, each in rows for fd in each]
        self.settle(until)
        if self.lane and self.lane.may_open(self, until):
            self.lane.send(self.fingerprint.tag, encoding, body, table, fds, until)
        else:
            send_message(self.sock, self.fingerprint.tag, encoding, body, table, fds, until)
        for handle in handles:
            if isinstance(handle, Receiver):
                handle.leave()

    def settle(self, until):
        """Puts a barrier that is due into the channel's socket."""
        if self.barrier:
            send_bytes(self.sock, packet(BARRIER, self.fingerprint.tag, self.barrier), [], until)
        self.barrier = b""

    def row(self, until):
        self.settle(until)
        if self.lane and self.lane.head > self.lane.barred:
            send_bytes(self.sock, packet(BARRIER, self.fingerprint.tag, self.lane.barrier()), [], until)
            self.lane.barred = self.lane.head
        return self.row_of(ROW_SENDER), [self.sock.fileno()]

    def clone(self):
        clone = Sender(self.sock.dup(), self.fingerprint, self.type, self.flags)
        clone.barrier = self.barrier
        if self.lane and self.lane.head > self.lane.barred:
            clone.barrier = self.lane.barrier()
        return clone

    def close(self):
        if self.lane:
            self.lane.close()
        self.lane = None
        self.sock.close()


class Message:
    """What came, not decoded yet."""

    def __init__(self, encoding, body, table=b"", fds=()):
        self.encoding, self.body, self.table, self.fds = encoding, body, table, list(fds)

    def decode(self, type_):
        """Closes what nobody refers to."""
        handles, used = [], set()
        kinds = {"descriptor": Descriptor, "shared_memory": Memory, "sender": Sender, "receiver": Receiver}

        def handle_of(number, kind, its_type):
            if number >= len(handles) or number in used or type(handles[number]) is not kinds[kind]:
                raise Malformed("no such handle")
            used.add(number)
            if its_type:
                handles[number].become(its_type)
            return handles[number]

        try:
            while self.table:
                handles.append(self.read_row())
            if self.fds:
                raise Malformed("a descriptor without a row")
            value = leat_types.decode(type_, self.encoding, self.body, handle_of)
        except BaseException:
            used.clear()
            raise
        finally:
            for number, handle in enumerate(handles):
                if number not in used:
                    handle.close()
            while self.fds:
                os.close(self.fds.pop())
        return value

    def read_row(self):
        from leat_lane_reader import read_lanes
        kind, self.table = self.table[0], self.table[1:]
        if not self.fds:
            raise Malformed("a row without a descriptor")
        if kind == ROW_DESCRIPTOR:
            return Descriptor(self.fds.pop(0))
        if kind == ROW_MEMORY:
            check_memory(self.fds[0], ALL_SEALS)
            return Memory(self.fds.pop(0))
        if not ROW_SENDER <= kind <= ROW_RECEIVER_WITH_LANES or not self.table or self.table[0] > ORDERED:
            raise Malformed("no row")
        flags = self.table[0]
        fingerprint, self.table = Fingerprint.read(self.table[1:])
        sock = take_socket(self.fds)
        if kind == ROW_SENDER:
            return Sender(sock, fingerprint, None, flags)
        receiver = Receiver(sock, fingerprint, None, flags)
        if kind == ROW_RECEIVER_WITH_LANES:
            try:
                self.table = read_lanes(receiver, self.table, self.fds)
            except BaseException:
                receiver.close()
                raise
        return receiver


class Receiver(End):
    """`grants_lanes` is for its owner to say."""

    def __init__(self, sock, fingerprint, type_, flags=0):
        super().__init__(sock, fingerprint, type_, flags)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.grants_lanes = False
        self.lanes = []
        self.gathered = -1  # Sealed memory that goes along with its lanes.
        self.barrier = None  # (identity, position) that the channel's socket waits for.
        self.is_ended = self.is_sockets_turn = False
        self.counts = {"socket": 0, "lane": 0}  # Messages, by the way they came.

    def recv(self, seconds=20):
        return self.recv_message(seconds).decode(self.type)

    def recv_message(self, seconds=20):
        """Not decoded yet."""
        until = deadline(seconds)
        while True:
            message = self.try_recv()
            if message:
                return message
            if self.is_ended and not self.lanes:
                raise Disconnected()
            self.sleep(until)

    def try_recv(self):
        """An undecoded message, or None. From the lanes and the socket in turn."""
        ways = [self.try_lanes, self.try_socket]
        self.is_sockets_turn = not self.is_sockets_turn
        if self.is_sockets_turn:
            ways.reverse()
        return ways[0]() or ways[1]()

    def try_lanes(self):
        for lane in list(self.lanes):
            message = lane.take(self)
            if message:
                self.counts["lane"] += 1
                self.lanes.append(self.lanes.pop(self.lanes.index(lane)))
                return message
        return None

    def try_socket(self):
        while not self.is_ended and not self.is_barred():
            message = self.take_from_socket()
            if message is None:
                break
            if isinstance(message, Message):
                self.counts["socket"] += 1
                return message
        return None

    def is_barred(self):
        if not self.barrier:
            return False
        for lane in self.lanes:
            if lane.identity == self.barrier[0] and lane.position < self.barrier[1]:
                if not lane.is_empty():
                    return True
                lane.drop(self)  # It was a lie.
        self.barrier = None
        return False

    def take_from_socket(self):
        """A message; True: something else, or a lane was opened; None: nothing."""
        unopened = self.filled_but_unopened()
        try:
            came = receive_packet(self.sock)
        except Disconnected:
            self.is_ended = True
            for lane in self.lanes:
                lane.hang()
            unopened, came = self.filled_but_unopened(), None
        if came is None:
            for lane in unopened:
                lane.is_open = True  # Its marker was sent before, and somebody else took it.
            for lane in list(self.lanes):
                if not lane.is_open and lane.is_hung and lane.is_empty():
                    lane.drop(self)
            return True if unopened else None
        if came.kind not in (OFFER, MARKER, BARRIER):
            return self.open_message(came)
        try:
            from leat_lane_reader import take_control
            came.check(self.fingerprint.tag)
            take_control(self, came)
            return True
        finally:
            came.close()

    def filled_but_unopened(self):
        return [lane for lane in self.lanes if not lane.is_open and not lane.is_empty()]

    def open_message(self, came):
        try:
            came.check(self.fingerprint.tag)
            if came.kind not in (MESSAGE, SEALED):
                raise Malformed("no message")
            table, body = came.content()
            message = Message(came.encoding, body, table, came.fds)
            came.fds = []
            return message
        finally:
            came.close()

    def sleep(self, until):
        """Until something may be there."""
        fds = {lane.sock.fileno(): lane for lane in self.lanes}
        for lane in self.lanes:
            if not lane.arm():
                return
        socks = [] if self.is_ended or self.barrier else [self.sock.fileno()]
        for fd, events in wait(list(fds) + socks, select.POLLIN, until):
            if fd in fds and events & (select.POLLHUP | select.POLLERR):
                fds[fd].hang()
            elif fd in fds:
                fds[fd].disarm()

    def row(self, until):
        if not self.lanes:
            return self.row_of(ROW_RECEIVER), [self.sock.fileno()]
        from leat_lane_reader import write_lanes
        rows, fds = write_lanes(self)
        return self.row_of(ROW_RECEIVER_WITH_LANES) + rows, [self.sock.fileno()] + fds

    def leave(self):
        """It has a new owner."""
        for lane in self.lanes:
            lane.close()
        self.lanes = []
        if self.gathered >= 0:
            os.close(self.gathered)
        self.gathered = -1
        self.sock.close()

    def close(self):
        for lane in self.lanes:
            lane.say_closed()
        self.leave()


def channel(type_):
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fingerprint = type_.fingerprint()
    return Sender(a, fingerprint, type_), Receiver(b, fingerprint, type_)


# ---- servers ----

GREETING_MAX_TEXT = 16384


def connect(type_, path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fingerprint = type_.fingerprint()
    try:
        sock.connect(path)
        text = type_.text().encode()[:GREETING_MAX_TEXT]
        send_bytes(sock, packet(GREETING, fingerprint.tag, fingerprint.bytes() + text), [], deadline(20))
    except (FileNotFoundError, ConnectionError, Disconnected):
        sock.close()
        raise Refused() from None
    return Sender(sock, fingerprint, type_)


class Server:
    """One-shot: accept() gives the receiver; its first message is not taken yet."""

    def __init__(self, type_, path):
        self.type, self.path = type_, path
        self.told = None  # What the client says its type's text is; nothing is proved by it.
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(1)

    def accept(self, seconds=20):
        """Raises TypeMismatch or Malformed for a client that is turned away."""
        until = deadline(seconds)
        wait([self.listener.fileno()], select.POLLIN, until)
        sock, _ = self.listener.accept()
        receiver = Receiver(sock, self.type.fingerprint(), self.type)
        try:
            pid, uid, gid = struct.unpack("iii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid != os.geteuid():
                raise Malformed("another user")
            wait([sock.fileno()], select.POLLIN, until)
            self.hear_greeting(receiver)
        except BaseException:
            receiver.close()
            raise
        self.close()
        return receiver

    def hear_greeting(self, receiver):
        greeting = receive_packet(receiver.sock)
        try:
            fingerprint, text = Fingerprint.read(greeting.data[HEADER.size:])
            greeting.check(fingerprint.tag)
            if greeting.kind != GREETING or len(text) > GREETING_MAX_TEXT:
                raise Malformed("no greeting")
            self.told = bytes(text)
        finally:
            greeting.close()
        if not fingerprint.is_compatible(receiver.fingerprint):
            raise TypeMismatch()

    def close(self):
        if self.listener.fileno() >= 0:
            self.listener.close()
            os.unlink(self.path)
