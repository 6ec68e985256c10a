"""Receivers that do what they like to the library's sender: in the ring, by the lane's socket, and by doing nothing. Its calls come back in
their time, with what is documented, and nothing is left."""

import ctypes
import os
import random
import socket
import time

from cases_offers import punch
from hostile import DISCONNECTED, FULL, OK, TIMEOUT, Failed, sender_case
from lanes import flooded, need_lanes
from leat_packets import receive_packet
from leat_ring import READER_CLOSED, TAIL, WORDS
from receivers import MS, PATIENT, READER_RANG, READER_WAITS, SEND_OUTCOMES, WRITER_WAITS, Offer, Sends, opposed
from scribble import BOUNDARIES, Scribbler, Settings

MOST_UNNOTICED = 4096  # Messages until a sender looks whether there is still a receiver.


def receiver_case(name, **options):
    return sender_case(name, needs=need_lanes, **options)


@receiver_case("an honest receiver")
def honest(a):
    lane = opposed(a)
    for _ in range(20):
        Sends(a, 100, 0).must_succeed()
        lane.read_all()


@receiver_case("a receiver that answers an offer with nonsense, or not at all")
def answers(a):
    lane = Offer(a)
    Sends(a, 50, PATIENT).drain().must_succeed()
    lane.sock.send(a.random.choice((b"R", b"B", b"\0", b"", b"AA", bytes(100))))
    Sends(a, 50, PATIENT).drain().must_succeed()


@receiver_case("a receiver that answers an offer with descriptors")
def answers_with_descriptors(a):
    lane = Offer(a)
    lane.say(b"A", [lane.memory, lane.sock.fileno()] * 20)
    Sends(a, 50, PATIENT).drain().must_succeed()


@receiver_case("a receiver that hangs up on an offer")
def hangs_up(a):
    lane = Offer(a)
    lane.sock.shutdown(a.random.choice((socket.SHUT_WR, socket.SHUT_RDWR)))
    Sends(a, 50, PATIENT).drain().must_succeed()


@receiver_case("a receiver that reads nothing")
def silent(a):
    opposed(a)
    n = Sends(a, 10000).must_end_in(TIMEOUT)
    for _ in range(3):
        Sends(a, 1, 0).must_end_in(FULL)
        Sends(a, 1).must_end_in(TIMEOUT)
    if n < 100:
        raise Failed(f"only {n} messages had room")


@sender_case("a receiver that reads nothing, until the sender's user may have no more descriptors in flight", type="parcel",
             capacity=1 << 20, spoils=True)
def too_many_in_flight(a):
    limit = int(a.victim.ask("in-flight 64")[0].split()[1])
    for _ in range(3):
        n = Sends(a, 10000, 0).must_end_in(FULL)
        if n > limit + 1:
            raise Failed(f"{n} descriptors could be sent, where {limit} may be in flight")
        Sends(a, 1, 0).must_end_in(FULL)
        Sends(a, 1).must_end_in(TIMEOUT)
        while (came := receive_packet(a.sock)):
            came.close()
        Sends(a, 1, 10000).must_succeed()


def must_end_by(a, spoil, size=8, **_):
    """The lane is full when it is spoiled: so the victim has to look."""
    lane = opposed(a)
    lane.fill(size)
    spoil(lane)
    Sends(a, 2, MS, size).must_end_in(DISCONNECTED)
    Sends(a, 1, 0, size).must_end_in(DISCONNECTED)


def each_position(name, values):
    for value in values:
        @receiver_case(f"a receiver at position {value:#x}{name}")
        def one(a, value=value):
            def spoil(lane):
                lane.ring.u64[TAIL] = value
            must_end_by(a, spoil)


each_position(", which cannot be", [value for value in BOUNDARIES if value % 8 or value > 4096])


@receiver_case("a receiver that goes back")
def goes_back(a):
    def spoil(lane):
        lane.read_all()
        Sends(a, 100, 0).must_succeed()
        lane.ring.u64[TAIL] = 8
    must_end_by(a, lambda lane: (spoil(lane), Sends(a, 1000, 0).end()))


@receiver_case("a receiver that is where it can be, but nowhere near a record")
def odd_positions(a):
    lane = opposed(a)
    lane.fill()
    for position in (8, 24, 32, 40, 4000):
        lane.ring.u64[TAIL] = position
        Sends(a, 10000, 0).must_end_in(FULL, DISCONNECTED)


@receiver_case("a receiver that says it is closed")
def says_closed(a):
    for_value = a.random.choice((1, 2, 0xffffffff))

    def spoil(lane):
        lane.ring.u32[READER_CLOSED] = for_value
    must_end_by(a, spoil)


@receiver_case("a receiver that always wants a bell")
def wants_bells(a):
    lane = opposed(a)
    for value in (1, 2, 0xffffffff):
        for _ in range(20):
            lane.ring.u32[READER_WAITS] = value
            Sends(a, 1, 0).must_succeed()
            lane.read_all()


@receiver_case("a receiver that rang in the past, in the future, and never")
def rang(a):
    lane = opposed(a)
    for value in BOUNDARIES:
        lane.ring.u64[READER_RANG] = value
        lane.ring.u32[260 // 4] = value & 0xffffffff
        lane.fill()
        Sends(a, 1, 5).must_end_in(TIMEOUT)
        lane.read_all()


@receiver_case("a receiver that rings without making room")
def rings(a):
    lane = opposed(a)
    lane.fill()
    for word in (0, 1, 2, 0xffffffff):
        sends = Sends(a, 1)
        for _ in range(200):
            try:
                lane.ring.u32[WRITER_WAITS] = word
                lane.say(b"B")
            except BlockingIOError:
                pass
        sends.must_end_in(TIMEOUT)


def noise(name, *packets):
    @receiver_case(f"a receiver that puts {name} into a lane's socket")
    def one(a):
        null = a.keep(os.open("/dev/null", os.O_RDONLY))

        def spoil(lane):
            for data, n in packets:
                lane.say(data, [null] * n)
        must_end_by(a, spoil)


noise("a packet", (bytes(24), 0))
noise("a long packet", (bytes(70000), 0))
noise("packets with descriptors", (bytes(100), 250), (bytes(100), 1))
noise("an empty packet", (b"", 0))
noise("bells and then a packet", *[(b"B", 0)] * 50, (bytes(100), 3))


@receiver_case("a receiver whose bells bring descriptors")
def bells_with_descriptors(a):
    lane, null = opposed(a), a.keep(os.open("/dev/null", os.O_RDONLY))
    for _ in range(20):
        lane.fill()
        lane.say(b"B", [null] * 100)
        lane.say(b"BB", [lane.sock.fileno()])
        Sends(a, 1, 5).must_end_in(TIMEOUT)
        lane.read_all()
    lane.fill()
    lane.sock.close()


@receiver_case("a receiver that closes or shuts the lane's socket while there is room", capacity=1 << 20)
def closes(a):
    lane = opposed(a)
    how = a.random.choice((socket.SHUT_WR, socket.SHUT_RDWR, None))
    if how is None:
        lane.sock.close()
    else:
        lane.sock.shutdown(how)
    n = Sends(a, 20000).must_end_in(DISCONNECTED)
    if n > MOST_UNNOTICED:
        raise Failed(f"{n} messages went to nobody")


@receiver_case("a receiver that closes the channel's socket, and goes on with the lane")
def closes_channel(a):
    lane = opposed(a)
    a.sock.close()
    for _ in range(20):
        Sends(a, 50, 0).must_succeed()
        lane.read_all()


@receiver_case("a receiver that punches the memory out")
def punches(a):
    lane = opposed(a)
    Sends(a, 50, 0).must_succeed()
    lane.read_all()
    for offset, size in ((WORDS, 4096), (0, 4096), (0, WORDS + 4096)):
        Sends(a, 20, 0).end()
        punch(lane.memory, offset, size)
        Sends(a, 1000, 0).must_end_in(FULL, DISCONNECTED)


@receiver_case("a receiver that punches the memory out while it is written", type="raw", capacity=65536)
def punches_meanwhile(a):
    lane = opposed(a)
    sends = Sends(a, 100000, MS, 3000)
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        punch(lane.memory, 0, WORDS + 65536)
    sends.must_end_in(TIMEOUT, DISCONNECTED)


@receiver_case("a receiver that is silent in the middle of a message in pieces", type="raw", capacity=4096, ways=("sender",))
def silent_in_pieces(a):
    lane = opposed(a)
    for size in (5000, 100000):
        Sends(a, 1, MS, size).must_end_in(TIMEOUT)
        Sends(a, 1, 0, size).must_end_in(OK, FULL)  # In sealed memory, when there is room for that.
        lane.read_all()
    Sends(a, 1, 0, 100).must_succeed()
    sends = Sends(a, 1, 10000, 100000)
    time.sleep(0.01)
    lane.ring.u64[TAIL] = 7
    lane.ring.u32[WRITER_WAITS] = 0
    lane.say(b"B")
    sends.must_end_in(DISCONNECTED)


@receiver_case("a receiver that takes no packets with handles", type="parcel", capacity=65536)
def takes_no_packets(a):
    lane = opposed(a)
    for size in (0, 60000):
        Sends(a, 10000, MS, size).must_end_in(TIMEOUT)
        Sends(a, 10000, 0, size).must_end_in(FULL)
    lane.sock.shutdown(socket.SHUT_RDWR)
    Sends(a, 2, MS, 0).must_end_in(DISCONNECTED)


def scribbled(type_, size, capacity):
    name = f"a receiver that scribbles at random on {type_} messages of {size} bytes"

    @receiver_case(name, type=type_, capacity=capacity)
    def one(a):
        """Each send is one of what a send may be; after the lane has ended all say so."""
        dice = random.Random(f"{Settings.seed} {name}")
        lane = opposed(a)
        for _ in range(Settings.rounds):
            lane.limit = lane.ring.limit
            scribbler = Scribbler(lane, [random_image(dice, lane.ring.size + WORDS) for _ in range(2)], dice)
            sends = Sends(a, dice.choice((1, 30, 300)), dice.choice((0, 1, 3)), size)
            for _ in range(dice.choice((0, 10, 200))):
                dice.choice((lambda: store_word(lane, dice), lane.read_all if dice.random() < 0.3 else lambda: None,
                             lambda: ring(lane)))()
            said = sends.end()
            scribbler.stop()
            Settings.n_rounds, Settings.n_stores = Settings.n_rounds + 1, Settings.n_stores + scribbler.n_stores
            if not set(said) <= set(SEND_OUTCOMES):
                raise Failed(f"a send said {said[-1]} (seed {Settings.seed})")


def random_image(dice, size):
    return ctypes.create_string_buffer(bytes(size) if dice.random() < 0.5 else dice.randbytes(size), size)


def store_word(lane, dice):
    place = dice.choice((TAIL * 8, 256, 260, 272, 384, 388, 392, 8 * dice.randrange(512)))
    lane.ring.u64[place // 8] = dice.choice(BOUNDARIES) if dice.random() < 0.9 else 0


def ring(lane):
    try:
        lane.say(b"B")
    except OSError:
        pass


for each in (("number", 8, 4096), ("raw", 100, 65536), ("raw", 30000, 65536), ("raw", 300000, 65536), ("parcel", 200, 65536)):
    scribbled(*each)


@receiver_case("a receiver that rings without end, from several processes")
def flood_of_bells(a):
    lane = opposed(a)
    lane.fill()
    with flooded(lane.sock):
        for ms in (1, MS, 0, MS):
            if Sends(a, 1, ms).must_end_in(FULL, TIMEOUT, DISCONNECTED) > 0:
                raise Failed("there was no room")
