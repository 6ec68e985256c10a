"""Packets whose header, size or number of descriptors is wrong; and ends of sockets that are shut."""

import array
import os
import socket
import struct
import time

from hostile import (CHANNEL_WAYS, DISCONNECTED, MALFORMED, OK, TOO_LARGE, TYPE_MISMATCH, TYPES, VERSION_MISMATCH, case, number)
from leat_packets import ALL_SEALS, BARRIER, GREETING, HEADER, MARKER, MAX_INLINE, MAX_PACKET, MESSAGE, OFFER, SEALED, make_memory
from leat_types import MESSAGEPACK, PLAIN, RAW

SO_PASSSEC, SO_PASSPIDFD, SO_PASSRIGHTS = 34, 76, 83
EVERY_TYPE = tuple(TYPES)
WITH_OPTIONS = tuple(way for way in CHANNEL_WAYS if way != "opaque")  # They do not go along in a message.
BELOW_INLINE = 60000  # Room for what is said to be behind it.


def null(a):
    return a.keep(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))


def for_types(name, types=EVERY_TYPE, **options):
    """One case for each of these types."""
    def register(body):
        for type_ in types:
            case(f"{name}, {type_}", type=type_, **options)(body)
        return body
    return register


@for_types("an honest message", answer=OK)
def honest(a):
    a.send(a.message())


# ---- sizes ----

@for_types("an empty packet")
def empty(a):
    for _ in range(3):
        a.send(b"")


@for_types("packets of 1 to 23 bytes")
def short(a):
    for size in range(1, 24):
        a.send(a.message()[:size])


@for_types("a message cut off after each byte", types=("number", "gauge", "parcel", "raw"))
def cut(a):
    whole = a.message()
    for size in range(24, len(whole)):
        a.send(whole[:size])


@for_types("bytes behind a message", types=("number", "parcel", "raw"))
def longer(a):
    for size in (1, 7, 8, 1000, 50000):
        a.send(a.message() + bytes(size))


@for_types("packets longer than any", types=("number", "raw", "parcel"))
def too_long(a):
    fds = [null(a)]
    for size in (MAX_PACKET + 1, MAX_PACKET + 7, 100000, 150000):
        body = bytes(size - HEADER.size)
        a.send(a.packet(body, encoding=RAW))
        if a.type is not number:
            a.send(a.packet(body, table=b"", encoding=RAW, n=1), fds)
        a.send(a.packet(body[:MAX_INLINE], encoding=RAW) + bytes(size - MAX_PACKET))


@case("the longest packet that there is", type="raw", answer=OK)
def longest(a):
    a.send(a.packet(struct.pack("<Q", 7) + bytes(MAX_INLINE - 8), encoding=RAW))


# ---- header ----

@for_types("byte 0: version 0")
def no_version(a):
    for size in (24, 25, 1000):
        a.send(a.packet(bytes(size - 24), version=0))


@for_types("byte 0: other versions", types=("number", "parcel", "raw"), answer=VERSION_MISMATCH)
def other_version(a):
    for version in range(2, 256):
        a.send(a.packet(version=version))
    for size in (24, 100, MAX_PACKET, MAX_PACKET + 1, 100000):
        a.send(bytes([2, 0xff, 0xff, 0]) + b"\xff" * (size - 4))
    for kind in range(9):
        a.send(a.packet(kind=kind, version=2, n=65535, table_size=2**32 - 1, body_size=2**64 - 1))
    a.send(bytes([2]) + bytes(22), answer=MALFORMED)
    a.send(bytes([2, 1, 1, 1]) + bytes(50), answer=MALFORMED)


@case("another version with descriptors", answer=VERSION_MISMATCH)
def version_with_descriptors(a):
    for n in (1, 2, 253):
        a.send(a.packet(version=3, n=n), [null(a)] * n)


@for_types("byte 1: unknown kinds")
def unknown_kind(a):
    body = a.body()
    for kind in [0] + list(range(7, 256)):
        a.send(a.packet(body[1], encoding=body[0], kind=kind))
        a.send(a.packet(kind=kind, encoding=0))


@for_types("a greeting on a channel")
def greeting(a):
    a.send(a.greeting())
    a.send(a.greeting(text=a.type.text().encode()))
    a.send(a.packet(kind=GREETING, encoding=0))
    a.send(a.packet(b"x" * 20000, kind=GREETING, encoding=0))


@for_types("byte 2: unknown encodings")
def unknown_encoding(a):
    body = a.body()[1]
    for encoding in [0] + list(range(4, 256)):
        a.send(a.packet(body, encoding=encoding))


@case("byte 2: encodings that a plain type has not", type="gauge")
def not_of_plain(a):
    encoding, body = a.body()
    for other in (MESSAGEPACK, RAW):
        a.send(a.packet(body, encoding=other))


@case("byte 2: encodings that a type with strings has not")
def not_of_messagepack(a):
    for encoding in (PLAIN, RAW):
        for body in (a.body()[1], b"", bytes(500)):
            a.send(a.packet(body, encoding=encoding))


@case("byte 2: encodings that bytes have not", type="raw")
def not_of_raw(a):
    for encoding in (PLAIN, MESSAGEPACK):
        for body in (b"", b"\x91\xc4\1x", bytes(500)):
            a.send(a.packet(body, encoding=encoding))


@for_types("byte 3 and bytes 10 and 11 are not 0")
def not_zero(a):
    encoding, body = a.body()
    for bit in range(8):
        a.send(a.packet(body, encoding=encoding, zero_3=1 << bit))
        a.send(a.packet(body, encoding=encoding, zero_3=1 << bit, version=2))
    for bit in range(16):
        a.send(a.packet(body, encoding=encoding, zero_10=1 << bit))


@for_types("bytes 4 to 7: another type's tag", answer=TYPE_MISMATCH)
def other_tag(a):
    encoding, body = a.body()
    for bit in range(32):
        tag = (int.from_bytes(a.tag, "little") ^ 1 << bit).to_bytes(4, "little")
        a.send(a.packet(body, encoding=encoding, tag=tag))
    for type_ in TYPES.values():
        if type_ is not a.type:
            a.send(a.packet(body, encoding=encoding, tag=type_.fingerprint().tag))
    for tag in (bytes(4), b"\xff" * 4):
        a.send(a.packet(body, encoding=encoding, tag=tag))


@for_types("bytes 8 and 9: descriptors that do not come", types=("number", "raw", "parcel", "image"))
def promised(a):
    encoding, body = a.body()
    for n in (1, 2, 3, 127, 239, 240, 241, 251, 252, 253, 254, 255, 256, 257, 32767, 32768, 65534, 65535):
        a.send(a.packet(body, encoding=encoding, n=n))
        a.send(a.packet(body, table=b"\1" * min(n, 300), encoding=encoding, n=n))


@for_types("bytes 12 to 23: sizes that do not add up")
def sums(a):
    encoding, body = a.body()
    body = body[:BELOW_INLINE]
    rest = len(body)
    for table_size, body_size in ((1, rest), (0, rest + 1), (0, rest - 1), (1, rest - 2), (rest + 1, 0), (rest + 1, 2**64 - 1),
                                  (rest + 8, 2**64 - 8), (2**31, rest), (2**32 - 1, rest), (2**32 - 1, rest - 2**32 + 1 + 2**64),
                                  (0, 2**31), (0, 2**32 + rest), (0, 2**63), (0, 2**63 + rest), (0, 2**64 - 1), (2**32 - 1, 2**64 - 1),
                                  (0, (2**64 - 24 + rest) % 2**64), (0, 2**64 - 24)):
        a.send(a.packet(body, encoding=encoding, table_size=table_size, body_size=body_size))
        if body_size:
            a.send(a.packet(b"", encoding=encoding, table_size=table_size, body_size=body_size))


@for_types("each byte of a header, all values", types=("parcel", "number"), ways=("alone", "undecoded", "set"))
def every_byte(a):
    """What it should say is worked out from the page: see expected()."""
    encoding, body = a.body()
    honest_one = a.packet(body, encoding=encoding)
    for at in range(24):
        if at in (1, 2):
            continue  # Kinds and encodings have cases of their own.
        for value in range(256):
            if value == honest_one[at]:
                continue
            packet = bytearray(honest_one)
            packet[at] = value
            a.send(bytes(packet), answer=expected(at, value))


def expected(at, value):
    if at == 0 and value != 0:
        return VERSION_MISMATCH
    return TYPE_MISMATCH if 4 <= at < 8 else MALFORMED


# ---- descriptors beside ----

@case("descriptors that nobody was told of")
def not_told(a):
    fds = [null(a)] * 253
    for n in (1, 2, 3, 100, 240, 252, 253):
        a.send(a.message(), fds[:n])
    for n in (2, 3, 100, 253):
        a.send(a.message(table=b"\1", n=1, file=0), fds[:n])
    for size in (0, 1, 23):
        a.send(a.message()[:size], fds[:3])


@for_types("descriptors for a type without handles", types=("number", "gauge", "raw"))
def for_who_takes_none(a):
    """Those that nobody refers to are closed; small plain types take the two of an offer only, while the type is known, and none where lanes are
    forbidden: on systems without SO_PASSRIGHTS they get as far as that."""
    encoding, body = a.body()
    most = 240 if a.type is TYPES["raw"] or a.way == "opaque" else 2 if a.grants_lanes else 0
    for n in (1, 2, 3, 240, 241, 253):
        for told in (0, n):
            try:
                a.send(a.packet(body, table=b"\1" * told, encoding=encoding, n=told), [null(a)] * n,
                       answer=OK if told and n <= most else MALFORMED)
            except PermissionError:
                continue  # The system keeps them from it.


@case("fewer descriptors than promised")
def fewer(a):
    for promised, n in ((2, 1), (240, 239), (240, 1), (3, 2), (241, 240)):
        a.send(a.message(table=b"\1" * promised, n=promised, files=list(range(promised))), [null(a)] * n)


@case("more handles than a message may have")
def too_many(a):
    fds = [null(a)] * 253
    for n in (241, 250, 252, 253):
        a.send(a.message(table=b"\1" * n, n=n, files=list(range(n))), fds[:n])
    a.send(a.message(table=b"\1" * 240, n=240, files=list(range(240))), fds[:240], answer=OK)


@case("more handles than the receiver takes", options="handles=3", answer=TOO_LARGE, ways=WITH_OPTIONS)
def over_the_handle_limit(a):
    fds = [null(a)] * 240
    for n in (4, 5, 100, 240):
        a.send(a.message(table=b"\1" * n, n=n, files=list(range(n))), fds[:n])
    a.send(a.message(table=b"\1" * 3, n=3, files=[0, 1, 2]), fds[:3], answer=OK)


def send_control(a, messages, data):
    a.sock.sendmsg([data], messages, socket.MSG_NOSIGNAL)
    a.n_packets += 1


@case("several control messages, and credentials of its own")
def control_messages(a):
    fds = [array.array("i", [null(a)]).tobytes() for _ in range(3)]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fd) for fd in fds]
    credentials = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iii", os.getpid(), os.getuid(), os.getgid()))
    send_control(a, rights[:1] + [credentials], a.message(table=b"\1", n=1, file=0))
    a.expect(OK)
    send_control(a, [credentials], a.message())
    a.expect(OK)
    send_control(a, [credentials], b"")
    a.expect(MALFORMED)
    try:
        send_control(a, rights, a.message(table=b"\1", n=1, file=0))  # The system makes one of them.
        a.expect(MALFORMED)
        send_control(a, rights, a.message(table=b"\1\1\1", n=3, files=[0, 1, 2]))
        a.expect(OK)
    except OSError:
        pass


@case("forged credentials", needs=lambda: None if os.geteuid() == 0 else "forging them needs root", answer=OK)
def forged_credentials(a):
    for pid, uid, gid in ((1, 0, 0), (os.getpid(), 4294967294, 4294967294), (os.getppid(), 1, 1)):
        send_control(a, [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", pid, uid, gid))], a.message())
        a.expect(OK)


@for_types("options of the attacker's own socket", types=("number", "parcel"))
def socket_options(a):
    for option in (socket.SO_PASSCRED, socket.SO_KEEPALIVE, socket.SO_OOBINLINE, SO_PASSSEC, SO_PASSPIDFD, SO_PASSRIGHTS):
        for value in (0, 1):
            try:
                a.sock.setsockopt(socket.SOL_SOCKET, option, value)
            except OSError:
                continue
            a.send(a.message(), answer=OK)
    a.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    a.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 1))
    a.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    a.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    a.sock.setblocking(False)
    a.send(b"x")
    a.sock.setblocking(True)


@for_types("the flags of a send", types=("number", "parcel"))
def send_flags(a):
    for flag in (socket.MSG_OOB, socket.MSG_EOR, socket.MSG_DONTROUTE, socket.MSG_CONFIRM, socket.MSG_MORE, 0x4000000, 0x20000000):
        try:
            a.sock.send(a.message()[:23], flag | socket.MSG_NOSIGNAL)
        except OSError:
            continue
        a.n_packets += 1
        a.expect(MALFORMED)


# ---- sealed ----

def sealed(a, *parts):
    return a.keep(make_memory(ALL_SEALS, *parts))


@for_types("a sealed message whose sizes are not its memory's", types=("parcel", "raw", "image"))
def sealed_lies(a):
    encoding, body = a.body()
    memory = sealed(a, body)
    for body_size in (0, len(body) - 1, len(body) + 1, len(body) + 4096, 2**20):
        a.send(a.packet(bytes(100), kind=SEALED, encoding=encoding, table_size=0, body_size=body_size), [memory])
    for table_size in (1, 17, len(body)):
        a.send(a.packet(kind=SEALED, encoding=encoding, table_size=table_size, body_size=len(body)), [memory])
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body)), [memory], answer=OK)


@for_types("a sealed message of sizes beyond all", types=("parcel", "raw"), answer=TOO_LARGE)
def sealed_beyond(a):
    encoding, body = a.body()
    memory = sealed(a, body)
    for table_size, body_size in ((0, 2**30 + 1), (1, 2**30), (0, 2**32), (0, 2**62), (0, 2**63), (0, 2**64 - 1), (1, 2**64 - 1),
                                  (2**32 - 1, 2**64 - 2**32 + 1 + len(body)), (2**32 - 1, 0), (len(body), 2**64 - len(body))):
        a.send(a.packet(kind=SEALED, encoding=encoding, table_size=table_size, body_size=body_size), [memory])


@for_types("a sealed message over the receiver's limit", types=("parcel", "raw"), options="limit=5000",
           answer=TOO_LARGE, ways=WITH_OPTIONS)
def sealed_over_limit(a):
    memory = sealed(a, bytes(5001))
    a.send(a.packet(kind=SEALED, encoding=a.body()[0], body_size=5001), [memory])
    a.send(a.packet(kind=SEALED, encoding=a.body()[0], body_size=100), [memory])
    a.send(a.packet(bytes(5001), encoding=a.body()[0]))


@for_types("a sealed message without its memory, or with too much", types=("parcel", "raw"))
def sealed_without(a):
    encoding, body = a.body()
    memory = sealed(a, body)
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body)))
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body)), [memory, memory])
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body), n=1), [memory])
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body), n=252), [memory])
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body), n=253), [memory] * 253)
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body), n=65535), [memory])


@for_types("a sealed message's padding", types=("parcel", "raw"), answer=OK)
def sealed_padding(a):
    encoding, body = a.body()
    memory = sealed(a, body)
    for size in (0, 1, 49152, 65536):
        a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body)) + b"\xff" * size, [memory])
    a.send(a.packet(kind=SEALED, encoding=encoding, body_size=len(body)) + bytes(65537), [memory], answer=MALFORMED)


@case("a sealed message of nothing")
def sealed_nothing(a):
    a.send(a.packet(kind=SEALED, body_size=0), [sealed(a)])
    a.send(a.packet(kind=SEALED, encoding=0, body_size=0), [sealed(a)])


@case("a sealed message with a table that lies")
def sealed_table(a):
    encoding, body = a.body(file=0)
    memory = sealed(a, b"\1", body)
    fd = null(a)
    a.send(a.packet(kind=SEALED, encoding=encoding, table_size=1, body_size=len(body), n=1), [memory, fd], answer=OK)
    a.send(a.packet(kind=SEALED, encoding=encoding, table_size=0, body_size=len(body) + 1, n=1), [memory, fd])
    a.send(a.packet(kind=SEALED, encoding=encoding, table_size=1, body_size=len(body)), [memory])
    a.send(a.packet(kind=SEALED, encoding=encoding, table_size=len(body) + 1, body_size=0, n=1), [memory, fd])
    a.send(a.packet(kind=SEALED, encoding=encoding, table_size=1, body_size=len(body), n=1), [fd, memory])


# ---- silence, and ends ----

@for_types("silence before anything, and between two messages", types=("number", "parcel"), answer=OK)
def silence(a):
    a.least_timeouts = 2
    time.sleep(0.1)
    a.send(a.message())
    time.sleep(0.05)
    a.send(a.message()[:24], answer=MALFORMED)
    time.sleep(0.05)


@for_types("the attacker's socket is shut for writing", types=("number", "parcel", "raw"), answer=OK)
def shut_for_writing(a):
    a.send(a.message())
    a.send(b"x", answer=MALFORMED)
    a.sock.shutdown(socket.SHUT_WR)
    a.expect(DISCONNECTED)


@for_types("the attacker's socket is shut for reading", types=("number", "parcel", "raw"), answer=OK)
def shut_for_reading(a):
    a.send(a.message())
    a.sock.shutdown(socket.SHUT_RD)
    a.send(a.message())


@for_types("the attacker's socket is shut both ways", types=("number", "parcel", "raw"), answer=OK)
def shut(a):
    a.send(a.message())
    a.sock.shutdown(socket.SHUT_RDWR)
    a.expect(DISCONNECTED)


@for_types("the attacker's end is closed in the middle of a flood", types=("number", "parcel"))
def closed_in_flood(a):
    for _ in range(500):
        a.send(a.message()[:23])
    a.sock.close()
    a.expect(DISCONNECTED)
