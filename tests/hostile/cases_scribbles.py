"""Rings that are scribbled on: every word in turn, and at random. Whatever comes out of one is a message that is valid, or said to be none."""

import random

from cases_offers import WAYS_OF_LANES
from hostile import Failed, case
from lanes import Beside, Lane, need_lanes, sync
from leat_ring import READER_CLOSED
from scribble import BOUNDARIES, WILD, Round, Settings


def scribbled(type_, ways=WAYS_OF_LANES):
    name = f"a ring scribbled on at random, of the type {type_}"

    def body(a):
        a.wild = WILD
        beside = Beside(a)
        for i in range(Settings.rounds):
            try:
                Round(a, random.Random(f"{Settings.seed} {name} {i}")).run()
            except Exception as error:
                raise Failed(f"round {i} of seed {Settings.seed}: {error}") from error
        beside.must_be_well()
    case(name, type=type_, answer=None, ways=ways, memory=96, needs=need_lanes)(body)


for each in ("number", "gauge", "image", "parcel", "raw"):
    scribbled(each, (*WAYS_OF_LANES, "borrow") if each == "raw" else WAYS_OF_LANES)


@case("every word of a ring's first page, with boundary values", type="gauge", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def every_word(a):
    beside, lane = Beside(a), Lane(a).open()
    for value in (0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff):
        for first in range(0, 1024, 32):
            for word in range(first, first + 32):
                lane.ring.u32[word] = value
            lane.ring.u32[READER_CLOSED] = 0  # That is said to us.
            lane.tail = lane.head
            lane.message()
            lane.ring_reader()
            lane.must_be_read()
    lane.leave()
    beside.must_be_well()


@case("every field of a record's header, with boundary values", type="gauge", answer=None, ways=WAYS_OF_LANES, needs=need_lanes)
def every_field(a):
    a.wild = WILD
    beside, good = Beside(a), len(a.body()[1]) | 1 << 32 | 1 << 40
    for shift, bits in ((0, 32), (32, 8), (40, 8), (48, 16)):
        mask = ((1 << bits) - 1) << shift
        for value in sorted({boundary & (1 << bits) - 1 for boundary in BOUNDARIES}):
            lane = Lane(a, limit=4096).open()
            lane.put_header(good & ~mask | value << shift)
            lane.leave()
    sync(a)
    beside.must_be_well()
