"""Packets whose header, size or number of descriptors is wrong."""

import os
import struct

from hostile import MALFORMED, OK, TYPE_MISMATCH, VERSION_MISMATCH, case
from leat_packets import BARRIER, GREETING, MARKER, MAX_INLINE, MAX_PACKET, MESSAGE, OFFER, SEALED
from leat_types import MESSAGEPACK, PLAIN, RAW


@case("an honest message", answer=OK)
def honest(a):
    a.send(a.message())


@case("an empty packet")
def empty(a):
    for _ in range(3):
        a.send(b"")


@case("packets of 1 to 23 bytes")
def short(a):
    for size in range(1, 24):
        a.send(a.message()[:size])


@case("a header without its body")
def header_alone(a):
    a.send(a.message()[:24])


@case("a message cut off after each byte")
def cut(a):
    whole = a.message()
    for size in range(24, len(whole)):
        a.send(whole[:size])
