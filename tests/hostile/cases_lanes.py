"""Markers, barriers and records that cannot be, and packets and bells by a lane's socket that have no place there. They end the lane, cost one
message, or are nothing; and an honest lane of the same channel goes on."""

import os
import socket
import struct
import time

from cases_offers import WAYS_OF_LANES, punch
from hostile import MALFORMED, OK, TOO_LARGE, TYPE_MISMATCH, VERSION_MISMATCH, case
from lanes import SIZE, Beside, Lane, flooded, need_lanes, send_barrier, send_marker, sync
from leat_packets import ALL_SEALS, BARRIER, MARKER, SEALED, make_memory
from leat_ring import (MAX_STREAM, READER_WAITS, RECORD_ABORT, RECORD_FIRST, RECORD_MESSAGE, RECORD_PACKET, RECORD_PIECE,
                       RECORDS_AT_ONCE, WORDS, WRITER_WAITS)
from leat_types import MESSAGEPACK, PLAIN, RAW

MOST_U64 = 2**64 - 1


def lane_case(name, ways=WAYS_OF_LANES, type="parcel", options="", memory=64):
    """Its body gets the attacker, and what opens a lane; an honest one is beside them."""
    def register(body):
        def run(a):
            beside = Beside(a)
            body(a, lambda **fields: Lane(a, **fields).open())
            sync(a)
            beside.must_be_well()
        return case(name, type=type, answer=None, ways=ways, options=options, memory=memory, needs=need_lanes)(run)
    return register


def first(total, bytes_=b""):
    return struct.pack("<Q", total) + bytes_


# ---- markers and barriers ----

@lane_case("markers of nobody, twice, and of lanes that are gone")
def markers(a, open_lane):
    for identity in (bytes(16), b"\xff" * 16, a.random.randbytes(16)):
        send_marker(a, identity)
    lane = open_lane()
    for _ in range(3):
        lane.mark()
    lane.must_go_on()
    lane.leave()
    lane.mark()
    unread = Lane(a)
    unread.mark()  # Before its offer.
    unread.open().must_go_on()


@case("markers and barriers of another size, or with what has no place there")
def control_of_other_sizes(a):
    for kind, size in ((MARKER, 16), (BARRIER, 24)):
        for n in (*range(40), 1000):
            if n != size:
                a.send(a.packet(bytes(n), kind=kind, encoding=0))
        for header in ({"encoding": MESSAGEPACK}, {"table": b"\1"}, {"n": 1}, {"zero_3": 1}, {"zero_10": 1}):
            a.send(a.packet(bytes(size), kind=kind, **{"encoding": 0, **header}))
        a.send(a.packet(bytes(size), kind=kind, encoding=0, tag=b"\1\2\3\4"), answer=(MALFORMED, TYPE_MISMATCH))
        for n in (1, 2, 250):
            a.send(a.packet(bytes(size), kind=kind, encoding=0), [a.sock.fileno()] * n)


@lane_case("barriers of nobody, and where nothing is to wait for")
def barriers(a, open_lane):
    for identity in (bytes(16), a.random.randbytes(16)):
        for position in (0, 8, 2**32, MOST_U64):
            send_barrier(a, identity, position)
    lane = open_lane()
    lane.must_go_on()
    for position in (0, 1, 8, lane.head - 8, lane.head):
        for _ in range(3):
            lane.bar(position)
    lane.must_go_on()
    lane.leave()
    lane.bar(lane.head + 8)


@lane_case("barriers beyond what is there")
def barriers_beyond(a, open_lane):
    for ahead in (1, 8, 4096, SIZE - 8, SIZE, SIZE + 1, SIZE + 8, 2**31, 2**32, 2**63, MOST_U64 - 2**20):
        lane = open_lane()
        lane.must_go_on()
        lane.bar(lane.head + ahead)
        lane.must_end()


@lane_case("barriers inside a record, and behind several")
def barriers_inside(a, open_lane):
    lane = open_lane()
    for ahead in (1, 7, 9, 16, 33):
        lane.bar(lane.head + ahead)
        lane.must_end()  # Nothing was there yet when it was taken.
        lane = open_lane()
        before = lane.head
        lane.message()
        lane.message()
        lane.bar(before + ahead)
        lane.must_be_read()
        lane.must_go_on()


@lane_case("a barrier of a lane that is not open yet, or about to end")
def barriers_of_unopened(a, open_lane):
    lane = Lane(a)
    lane.offer().close_parts()
    lane.bar(4096)
    lane.mark()
    lane.must_go_on()
    lane.sock.shutdown(socket.SHUT_WR)
    lane.bar(lane.head + 8)
    lane.must_end()


@lane_case("a barrier whose lane holds the channel's socket up as long as it can")
def slow_barrier(a, open_lane):
    lane = open_lane()
    lane.put(RECORD_FIRST, MESSAGEPACK, first(MAX_STREAM))
    lane.bar(lane.head + SIZE // 2)
    while lane.head < SIZE // 2:
        lane.put(RECORD_PIECE)
    if not lane.settle():
        return  # It was looked at between two of them, and found a lie.
    lane.put(RECORD_ABORT)
    lane.must_go_on()


# ---- records ----

HEADERS = [*(1 << bit for bit in range(48, 64)), 0xffff << 48, MOST_U64, 1, 8, SIZE, 2**32 - 1,
           *(size | RECORD_MESSAGE << 32 | MESSAGEPACK << 40 for size in (SIZE - 23, SIZE - 16, SIZE, 2 * SIZE, 2**31, 2**32 - 1)),
           *(kind << 32 for kind in (6, 7, 8, 16, 127, 128, 255)), *(MESSAGEPACK << 40 | 5 | kind << 32 for kind in (0, 6, 255))]


@lane_case("headers of records that cannot be")
def headers(a, open_lane):
    for header in HEADERS:
        lane = open_lane()
        lane.put_header(header)
        lane.must_end()


@lane_case("headers of records that cannot be, behind a message, or in the middle of one")
def headers_behind(a, open_lane):
    for i, header in enumerate(HEADERS):
        lane = open_lane()
        if i % 2:
            lane.must_go_on()
        else:
            lane.put(RECORD_FIRST, MESSAGEPACK, first(1000, b"1234"))
        lane.put_header(header)
        lane.must_end()


@lane_case("the largest record that can be")
def largest(a, open_lane):
    lane = open_lane()
    body = a.body(data=b"x" * (SIZE - 300))[1]
    lane.put(RECORD_MESSAGE, MESSAGEPACK, body)
    a.expect(OK)
    lane.must_be_read()
    lane.must_go_on()


STREAM = (RECORD_FIRST, MESSAGEPACK, first(1000, b"1234"))


@lane_case("records that have no place where they are")
def out_of_place(a, open_lane):
    for records in ([(RECORD_PIECE, 0, b"")], [(RECORD_PIECE, 0, b"1234")], [(RECORD_ABORT, 0, b"")], [(RECORD_ABORT, 0, b"1")],
                    [(RECORD_PACKET, 0, b"1")], [(RECORD_PACKET, 0, bytes(100))], [STREAM, STREAM],
                    [STREAM, (RECORD_MESSAGE, MESSAGEPACK, b"\x90")], [STREAM, (RECORD_PACKET, 0, b"")],
                    [STREAM, (RECORD_ABORT, 0, b"1")], [STREAM, (RECORD_ABORT, 0, b""), (RECORD_PIECE, 0, b"1")],
                    [STREAM, (RECORD_ABORT, 0, b""), (RECORD_ABORT, 0, b"")]):
        lane = open_lane()
        for record in records:
            lane.put(*record)
        lane.must_end()


@lane_case("pieces that lie about their total")
def lying_pieces(a, open_lane):
    for records in ([(RECORD_FIRST, MESSAGEPACK, b"")], [(RECORD_FIRST, MESSAGEPACK, bytes(7))],
                    [(RECORD_FIRST, MESSAGEPACK, first(0, b"1"))], [(RECORD_FIRST, MESSAGEPACK, first(3, b"1234"))],
                    [(RECORD_FIRST, MESSAGEPACK, first(MAX_STREAM + 1))], [(RECORD_FIRST, MESSAGEPACK, first(MOST_U64))],
                    [(RECORD_FIRST, MESSAGEPACK, first(2**63, b"1"))], [(RECORD_FIRST, MESSAGEPACK, first(5, b"1")),
                                                                        (RECORD_PIECE, 0, b"12345")],
                    [(RECORD_FIRST, MESSAGEPACK, first(MAX_STREAM)), *[(RECORD_PIECE, 0, bytes(8192))] * 5, (RECORD_MESSAGE, 1, b"")]):
        lane = open_lane()
        for record in records:
            lane.put(*record)
        lane.must_end()


@lane_case("messages in pieces that are no messages, and some that are")
def pieces(a, open_lane):
    lane, body = open_lane(), a.body(data=b"y" * 100)[1]
    for encoding in (PLAIN, RAW, 0, 255):
        lane.put(RECORD_FIRST, encoding, first(len(body), body))
        a.expect(MALFORMED)
    lane.put(RECORD_FIRST, MESSAGEPACK, first(0))  # Whole at once.
    a.expect(MALFORMED)
    for step in (1, 7, 8, 100, 1000):
        lane.put(RECORD_FIRST, MESSAGEPACK, first(len(body)))
        for at in range(0, len(body), step):
            lane.put(RECORD_PIECE, 255, body[at:at + step])  # What is beside a piece's kind is for nobody.
        a.expect(OK)
    lane.must_be_read()
    lane.must_go_on()


@lane_case("pieces of nothing without end", ways=("alone", "set"))
def endless_pieces(a, open_lane):
    lane = open_lane()
    lane.put(RECORD_FIRST, MESSAGEPACK, first(100))
    for _ in range(RECORDS_AT_ONCE * 300):
        lane.put(RECORD_PIECE)
    a.send(a.message(), answer=OK)  # By the socket meanwhile.
    lane.put(RECORD_ABORT)
    lane.must_be_read()
    lane.must_go_on()


@lane_case("the largest message in pieces that never ends, by several lanes", ways=("alone", "set"), memory=300)
def unfinished(a, open_lane):
    lanes = [open_lane() for _ in range(4)]
    for lane in lanes:
        lane.put(RECORD_FIRST, MESSAGEPACK, first(MAX_STREAM))
        for _ in range(MAX_STREAM // 16384):
            lane.put(RECORD_PIECE, 0, bytes(16384))
    lanes.pop().leave()
    lanes.pop().put(RECORD_ABORT)
    lanes.pop().put(RECORD_MESSAGE, MESSAGEPACK, b"")


@lane_case("messages over the limit, whole and in pieces", ways=("alone", "set", "router"), options="limit=10000")
def over_limit(a, open_lane):
    lane = open_lane()
    lane.put(RECORD_MESSAGE, MESSAGEPACK, bytes(10001))
    a.expect(TOO_LARGE)
    for total in (10001, MAX_STREAM):
        lane.put(RECORD_FIRST, MESSAGEPACK, first(total, bytes(8)))
        a.expect(TOO_LARGE)
        lane.put(RECORD_PIECE, 0, bytes(9000))
        if total == 10001:
            lane.put(RECORD_PIECE, 0, bytes(total - 9008))
        else:
            lane.put(RECORD_ABORT)
    lane.must_be_read()
    lane.must_go_on()


@lane_case("bodies of every sort that are no messages")
def bodies(a, open_lane):
    lane, good = open_lane(), a.body()[1]
    for encoding, body in ((0, good), (PLAIN, good), (RAW, good), (4, good), (255, good), (MESSAGEPACK, b""), (MESSAGEPACK, b"\xc1"),
                           (MESSAGEPACK, good[:-1]), (MESSAGEPACK, good + b"\xc0"), (MESSAGEPACK, b"\xdd\xff\xff\xff\xff"),
                           (MESSAGEPACK, b"\x91" * 4096), (MESSAGEPACK, b"\xc6\xff\xff\xff\xff"),
                           (MESSAGEPACK, a.body(file=0)[1])):  # A handle, where none can come.
        lane.put(RECORD_MESSAGE, encoding, body)
        a.expect(MALFORMED)
    lane.must_be_read()
    lane.must_go_on()


@lane_case("plain bodies with what cannot be in them", type="gauge")
def plain_bodies(a, open_lane):
    lane, good = open_lane(), bytearray(a.body()[1])
    for size in (0, 1, len(good) - 1, len(good) + 1, 4096):
        lane.put(RECORD_MESSAGE, PLAIN, (good + bytes(5000))[:size])
        a.expect(MALFORMED)
    for value in (2, 3, 127, 128, 255):
        bad = bytearray(good)
        bad[8] = value  # The boolean behind the id.
        lane.put(RECORD_MESSAGE, PLAIN, bad)
        a.expect(MALFORMED)
    lane.must_be_read()
    lane.must_go_on()


# ---- the lane's socket ----

def send_packet(a, lane, data, fds=()):
    a.send(data, fds, answer=None, sock=lane.sock)


@lane_case("packet records without a packet")
def without_packet(a, open_lane):
    for before in ((), (b"B",), (b"B",) * 100, (b"x" * 23,)):
        lane = open_lane()
        for bell in before:
            send_packet(a, lane, bell)
        lane.put(RECORD_PACKET)
        lane.must_end()


@lane_case("an empty packet by a lane's socket")
def empty_packet(a, open_lane):
    lane = open_lane()
    lane.sock.send(b"")
    lane.put(RECORD_PACKET)
    lane.must_end()  # It cannot be told from the socket's end.


@lane_case("packets by a lane's socket that are no messages")
def bad_packets(a, open_lane):
    lane, good, null = open_lane(), a.message(), a.keep(os.open("/dev/null", os.O_RDONLY))
    for data, fds, answer in ((a.packet(kind=0), [], MALFORMED), (a.packet(kind=MARKER, body=lane.identity, encoding=0), [], MALFORMED),
                              (a.packet(kind=7), [], MALFORMED), (a.packet(version=2), [], VERSION_MISMATCH),
                              (a.packet(tag=bytes(4)), [], TYPE_MISMATCH), (good + b"\0", [], MALFORMED), (bytes(70000), [], MALFORMED),
                              (good, [null], MALFORMED), (good, [null] * 253, MALFORMED), (a.message(table=b"\1", n=1), [], MALFORMED),
                              (a.packet(kind=SEALED, body_size=100), [null], MALFORMED), (a.message(table=b"\1", n=2), [null], MALFORMED)):
        send_packet(a, lane, data, fds)
        lane.put(RECORD_PACKET)
        a.expect(answer)
        lane.must_be_read()
    lane.must_go_on()


@lane_case("packets by a lane's socket before their records, and more than there are")
def packets_out_of_order(a, open_lane):
    lane, null = open_lane(), a.keep(os.open("/dev/null", os.O_RDONLY))
    packets = [(a.message(file=0, table=b"\1", n=1), [null], OK), (a.packet(tag=bytes(4)), [null] * 3, MALFORMED),
               (a.message(), [], OK), (a.packet(tag=bytes(4)), [], TYPE_MISMATCH)]
    for data, fds, _ in packets * 2:
        send_packet(a, lane, data, fds)
        send_packet(a, lane, b"B")
    for _, _, answer in packets:
        lane.put(RECORD_PACKET)
        a.expect(answer)
        lane.must_go_on()
    lane.leave()  # Half of the packets have no record.


@lane_case("bells with descriptors, and things that are no bells")
def bells(a, open_lane):
    lane, null = open_lane(), a.keep(os.open("/dev/null", os.O_RDONLY))
    for i in range(200):
        socket.send_fds(lane.sock, [b"B" * (1 + i % 23)], [null] * (i % 3))
        if i % 10 == 0:
            lane.must_go_on()
    lane.leave()


@lane_case("a lane's socket that holds its own end, or the channel's")
def holds_itself(a, open_lane):
    for fd in (lambda lane: lane.sock.fileno(), lambda lane: a.sock.fileno()):
        lane = open_lane()
        socket.send_fds(lane.sock, [bytes(100)], [fd(lane)])
        lane.must_go_on()
        lane.leave()


@lane_case("sealed bodies by a lane's socket, honest and not")
def sealed_bodies(a, open_lane):
    lane, (encoding, body) = open_lane(), a.body(data=b"z" * 70000)
    for content, size, answer in ((body, len(body), OK), (body, len(body) + 1, MALFORMED), (body, 2**63, (TOO_LARGE, MALFORMED)),
                                  (b"\xc1" * 70000, 70000, MALFORMED)):
        memory = make_memory(ALL_SEALS, content)
        send_packet(a, lane, a.packet(kind=SEALED, encoding=encoding, body_size=size), [memory])
        os.close(memory)
        lane.put(RECORD_PACKET)
        a.expect(answer)
        lane.must_be_read()
    lane.must_go_on()


@lane_case("a lane's socket shut down, in halves and whole")
def shut_down(a, open_lane):
    for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
        lane = open_lane()
        lane.must_go_on()
        lane.message()
        lane.sock.shutdown(how)
        sync(a)
        lane.must_end() if how != socket.SHUT_RD else None


# ---- memory, words ----

@lane_case("memory punched out under the reader")
def punched(a, open_lane):
    for offset, size in ((0, 4096), (4096, 4096), (4096, SIZE), (0, WORDS + SIZE), (WORDS + SIZE - 4096, 4096)):
        lane = Lane(a)
        memory = a.keep(os.dup(lane.memory))
        lane.open()
        for _ in range(20):
            lane.must_go_on()
        punch(memory, offset, size)
        lane.sock.send(b"B")  # Who reads may find nothing there for ever now.
        lane.sock.shutdown(socket.SHUT_WR)
        lane.must_end()


@lane_case("words that say anything, beside honest records")
def words(a, open_lane):
    lane = open_lane()
    for value in (0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff):
        for word in (READER_WAITS, 260 // 4, WRITER_WAITS, 388 // 4, 392 // 4, 396 // 4, 272 // 4, 276 // 4):
            lane.ring.u32[word] = value
            lane.must_go_on() if word != READER_WAITS else None
            lane.ring_reader()
    lane.message()
    lane.ring_reader()
    lane.must_be_read()
    lane.leave()


@lane_case("a lane said to be closed by its reader, which it is not")
def closed_word(a, open_lane):
    lane = open_lane()
    for value in (1, 2, 0xffffffff):
        lane.ring.u32[264 // 4] = value
        lane.ring.u32[264 // 4] = 0
        lane.must_go_on()
    lane.ring.u32[264 // 4] = 1
    lane.leave()


@lane_case("bells without end, from several processes", ways=("alone", "set"))
def flood_of_bells(a, open_lane):
    lane = open_lane()
    with flooded(lane.sock):
        for _ in range(3):
            a.send(a.message(), answer=OK)
            lane.message(answer=None)  # It is read, or its lane has ended by then.
            time.sleep(0.02)
        a.wild = (OK,)
        sync(a)
