"""Much of it: malformed packets, descriptors, silence and noise by turns. The victim's memory stays where it was."""

import os
import socket

from hostile import MALFORMED, OK, TYPE_MISMATCH, VERSION_MISMATCH, case
from leat_packets import ALL_SEALS, SEALED, make_memory


def flood(a, n, packets):
    """So many of each, one kind after the other: what is said of them is told by their counts."""
    for data, answer in packets:
        for _ in range(n // len(packets)):
            a.send(data, answer=answer)


@case("100000 malformed packets", ways=("set",), type="parcel")
def malformed(a):
    flood(a, 100002, [(b"x", MALFORMED), (b"", MALFORMED), (a.packet(b"\xc1"), MALFORMED), (a.packet(kind=9), MALFORMED),
                      (a.packet(tag=b"none"), TYPE_MISMATCH), (a.packet(version=2), VERSION_MISMATCH)])


@case("3000 malformed packets", type="number")
def some_malformed(a):
    flood(a, 3000, [(b"x", MALFORMED), (b"", MALFORMED), (a.packet(b"1234567", encoding=1), MALFORMED), (a.message(), OK),
                    (a.packet(tag=b"none"), TYPE_MISMATCH), (a.packet(version=2), VERSION_MISMATCH)])


@case("packets as long as they can be, all malformed", type="raw", memory=64)
def long_ones(a):
    body = a.random.randbytes(65000)
    flood(a, 300, [(a.packet(body, encoding=3, body_size=1), MALFORMED), (a.packet(body, encoding=3) + bytes(60000), MALFORMED)])


def n_of_descriptors(a):
    """Root has no limit in flight; another user waits for each."""
    return 150 if os.geteuid() == 0 else 30


@case("packets with 253 descriptors each")
def descriptors(a):
    null = a.keep(os.open("/dev/null", os.O_RDONLY))
    for _ in range(n_of_descriptors(a)):
        a.send(a.message(), [null] * 253)


@case("packets with 253 sockets each")
def sockets(a):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    a.keep(one), a.keep(other)
    for _ in range(n_of_descriptors(a)):
        a.send(a.message(), [one.fileno()] * 253)


@case("packets with 240 pieces of memory each", memory=96)
def memories(a):
    memory = a.keep(make_memory(ALL_SEALS, bytes(65536)))
    for _ in range(n_of_descriptors(a) // 3):
        a.send(a.message(table=b"\2" * 240, n=240), [memory] * 240, answer=OK)
        a.send(a.message(table=b"\2" * 240, n=240, files=list(range(240))), [memory] * 240)


@case("messages with 240 descriptors each, by which the victim could be kept busy", answer=OK)
def handles(a):
    null = a.keep(os.open("/dev/null", os.O_RDONLY))
    message = a.message(table=b"\1" * 240, n=240, files=list(range(240)))
    for _ in range(n_of_descriptors(a) // 3):
        a.send(message, [null] * 240)


@case("sealed messages of a MiB, all wrong", memory=96)
def sealed(a):
    memory = a.keep(make_memory(ALL_SEALS, bytes(1 << 20)))
    for _ in range(40):
        a.send(a.packet(kind=SEALED, body_size=1 << 20), [memory])
        a.send(a.packet(kind=SEALED, body_size=(1 << 20) - 1), [memory])


@case("good and bad messages by turns", answer=OK)
def by_turns(a):
    good, bad = a.message(), a.message()[:-1]
    for i in range(1500):
        a.send(good, answer=OK)
        a.send(bad, answer=MALFORMED)


@case("from many copies of the sender at once", type="number")
def copies(a):
    socks = [a.sock.dup() for _ in range(100)]
    for i in range(1000):
        a.send(a.message() if i % 3 == 0 else b"x", answer=OK if i % 3 == 0 else MALFORMED, sock=socks[i % 100])
    for sock in socks:
        sock.close()
