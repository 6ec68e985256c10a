"""The Python side of these tests: started by channel_wire with a role and the name of its server. Its types are those of wire.h."""

import os
import sys
import time

import leat_lane_writer
from leat_packets import Disconnected
from leat_peer import ORDERED, Descriptor, Memory, Refused, Server, channel, connect
from leat_types import Enum, Message, TypeMismatch, Variant, opaque, raw

color = Enum("color", "red", "green", "blue")
point = Message("point", ("i32", "x"), ("i32", "y"))
figure = Variant("figure", ("unit", "nothing"), ("u8", "small"), ("f64", "radius"), (point, "dot"), (color, "paint"))
sample = Message("sample", ("u8", "a"), ("i64", "b"), ("boolean", "c"), ("u16", "d"), ("f32", "e"), (color, "f"), (figure, "g"),
                 ("fixed_array", 3, "i16", "h"), ("fixed_array", 2, figure, "i"), ("i8", "j"), ("u32", "k"), ("i32", "l"),
                 ("u64", "m"), ("f64", "n"), (point, "o"), ("i16", "p"))

tree = Message("tree")
tree.define(("string", "name"), ("array", tree, "branches"))
choice = Variant("choice", ("string", "text"), (tree, "wood"), ("bytes", "blob"), ("unit", "none"), ("f32", "number"))
value = Message("value", ("i8", "a"), ("i16", "b"), ("i32", "c"), ("i64", "d"), ("u8", "e"), ("u16", "f"), ("u32", "g"), ("u64", "h"),
                ("f32", "i"), ("f64", "j"), ("boolean", "k"), ("string", "text"), ("bytes", "blob"), ("any", "some"), (color, "paint"),
                (choice, "what"), (raw, "raw"), (sample, "plain"), ("array", "i64", "numbers"), ("array", choice, "choices"),
                ("fixed_array", 2, "string", "names"), ("optional", "i32", "none"), ("array", "string", "words"),
                ("optional", "string", "note"), ("optional", tree, "wood"))

note = Message("note", ("u32", "id"), ("string", "text"), ("optional", "string", "author"), ("optional", point, "place"))
gauge = Message("gauge", ("u64", "level"))
meter = Message("meter", ("u64", "level"), ("optional", "string", "unit"))

# Of other times.
older_note = Message("note", ("u32", "id"), ("string", "text"), ("optional", "string", "author"))
newer_note = Message("note", ("u32", "id"), ("string", "text"), ("optional", "string", "author"), ("optional", point, "place"),
                     ("optional", choice, "more"), ("optional", figure, "and_more"))
newer_gauge = Message("gauge", ("u64", "level"), ("optional", "string", "unit"))
older_meter = Message("meter", ("u64", "level"))

parcel = Message("parcel")
parcel.define(("u64", "id"), ("string", "label"), ("bytes", "data"), (("sender", parcel), "reply"), (("receiver", gauge), "gauges"),
              ("array", ("sender", gauge), "senders"), ("descriptor", "file"), ("shared_memory", "memory"),
              (("receiver", parcel), "parcels"))
EMPTY_PARCEL = {"id": 0, "label": "", "data": b"", "reply": None, "gauges": None, "senders": [], "file": None, "memory": None,
                "parcels": None}

crate = Message("crate", ("string", "label"), (("sender", opaque), "to"), (("receiver", opaque), "source"),
                ("array", ("sender", opaque), "others"))

visitor = Message("visitor", ("string", "name"))  # The other side has never heard of it.
hello, task = Message("hello"), Message("task")
hello.define(("string", "role"), (("sender", task), "tasks"))
ENDS = (("samples", sample), ("values", value), ("bytes", raw), ("notes", note), ("gauges", gauge), ("meters", meter),
        ("parcels", parcel), ("crates", crate))
task.define(*[field for name, type_ in ENDS
              for field in ((("receiver", type_), name), (("sender", type_), name + "_back"))], ("string", "path"))

LANES = os.environ.get("LEAT_LANES", "automatic")


def expect(is_true, what=""):
    if not is_true:
        raise AssertionError(what)


def expect_equal(got, expected):
    if got != expected:
        raise AssertionError(f"{str(got)[:1000]}\n is not\n{str(expected)[:1000]}")


def expect_end(receiver):
    try:
        receiver.recv()
    except Disconnected:
        receiver.close()
    else:
        raise AssertionError("no end")


def a_parcel(**fields):
    return EMPTY_PARCEL | fields


def close_all(message):
    for handle in message.values():
        for each in handle if isinstance(handle, list) else [handle]:
            if hasattr(each, "close"):
                each.close()


# ---- values ----

def make_figure(n):
    return [("nothing", None), ("small", n & 255), ("radius", n + 0.25), ("dot", {"x": n, "y": -n}), ("paint", "blue")][n % 5]


def make_sample(n):
    return {"a": n & 255, "b": -1000000007 * n, "c": n % 2 == 1, "d": 65535 - n, "e": n / 4, "f": color.names[n % 3],
            "g": make_figure(n), "h": [-n, 0, n], "i": [make_figure(n + 1), make_figure(n + 2)], "j": -(n % 100),
            "k": 4000000000 + n, "l": -2000000000 - n, "m": 18446744073709551615 - n, "n": n / 8, "o": {"x": n, "y": n + 1},
            "p": -30000 - n % 1000}


def plain(given):
    for n in range(300):
        expect_equal(given["samples"].recv(), make_sample(n))
    expect_end(given["samples"])
    for n in range(1000, 1300):
        given["samples_back"].send(make_sample(n))
    given["samples_back"].close()


SIZES = [0, 1, 15, 31, 255, 256, 20000, 70000]
NUMBERS = [0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, 2**63 - 1, -1, -32, -33, -128, -129, -32768, -32769, -2**31,
           -2**31 - 1, -2**63]
TREE = {"name": "root", "branches": [{"name": "left", "branches": []}, {"name": "right ä", "branches": []}]}
CHOICES = [("text", "chosen"), ("wood", TREE), ("blob", b"\0\1"), ("none", None), ("number", 1.5)]
SOME = bytes.fromhex("82a16101a16293c0c3cb0000000000000000")


def make_value(n, is_theirs):
    text = ("abcdefghijklmnopqrstuvwxyz" * (SIZES[n] // 26 + 1))[:SIZES[n]]
    has_note = n % 2 == (1 if is_theirs else 0)
    made = {"text": text, "blob": text.encode(), "paint": color.names[n % 3], "what": CHOICES[n % 5], "plain": make_sample(n),
            "numbers": NUMBERS, "choices": CHOICES, "words": ["w"] * SIZES[n], "k": has_note, "note": "noted" if has_note else None,
            "wood": TREE if n % 2 == 1 else None}
    if is_theirs:
        return made | {"a": -2**7, "b": -2**15, "c": -2**31, "d": -2**63, "e": 2**8 - 1, "f": 2**16 - 1, "g": 2**32 - 1, "h": 2**64 - 1,
                       "i": -0.5, "j": 1e300, "some": SOME, "raw": b"raw", "names": ["first", ""], "none": None}
    return made | {"a": 2**7 - 1, "b": 2**15 - 1, "c": 2**31 - 1, "d": 2**63 - 1, "e": 0, "f": 0, "g": 0, "h": 0, "i": 0.25, "j": -1e-300,
                   "some": b"\x93\1\2\3", "raw": b"war", "names": ["", "second"], "none": -7 if has_note else None}


def values(given):
    for n in range(len(SIZES)):
        expect_equal(given["values"].recv(), make_value(n, True))
    expect_end(given["values"])
    for n in range(len(SIZES)):
        given["values_back"].send(make_value(n, False))
    given["values_back"].close()


def raw_bytes(given):
    """Sends back what comes."""
    try:
        while True:
            given["bytes_back"].send(given["bytes"].recv())
    except Disconnected:
        close_all(given)


def evolution(given):
    # A descriptor knows no type; what its messages are read and written as is for this end to say.
    notes, back = given["notes"], given["notes_back"]
    sent = {"id": 7, "text": "seven", "author": "me", "place": {"x": 3, "y": 4}}
    message = notes.recv_message()
    for type_ in (older_note, note, newer_note):
        wanted = {name: sent.get(name) for name in (field.name for field in type_.fields)}
        expect_equal(message.decode(type_), wanted)
    back.become(older_note)
    back.send({"id": 8, "text": "eight", "author": "older"})
    back.become(newer_note)
    back.send({"id": 9, "text": "nine", "author": None, "place": {"x": 5, "y": 6}, "more": CHOICES[1], "and_more": ("radius", 2.0)})
    given["gauges"].become(newer_gauge)
    expect_equal(given["gauges"].recv(), {"level": 5, "unit": None})
    given["gauges_back"].become(newer_gauge)
    given["gauges_back"].send({"level": 6, "unit": "K"})
    try:
        given["meters"].become(Message("meter", ("u32", "level")))
        raise AssertionError("another type")
    except TypeMismatch:
        pass
    given["meters"].become(older_meter)
    expect_equal(given["meters"].recv(), {"level": 5})
    given["meters_back"].become(older_meter)
    given["meters_back"].send({"level": 6})
    close_all(given)


# ---- handles ----

PATTERN = bytes((i * 31 >> 3) & 255 for i in range(100000))


def handles(given):
    parcels = given["parcels"]
    got = parcels.recv()
    expect_equal(got["label"], "given")
    expect(got["data"] == PATTERN[:70000] and got["memory"].data == PATTERN)
    expect_equal((got["gauges"].flags, got["reply"].flags), (ORDERED, 0))
    for level in (1, 2, 3):
        expect_equal(got["gauges"].recv(), {"level": level})
    expect_end(got["gauges"])
    for level, sender in zip((11, 12), got["senders"]):
        sender.send({"level": level})
    os.write(got["file"].fd, b"through the descriptor")
    reply = got["reply"]
    close_all(got | {"reply": None})
    answer(reply)
    expect_end(parcels)


def answer(reply):
    """As much the other way, and the other ends of it."""
    back_tx, back = channel(parcel)
    down_tx, down = channel(gauge)
    up_tx, up = channel(gauge)
    read_end, write_end = os.pipe()
    memory = Memory.of(bytes(byte ^ 255 for byte in PATTERN))
    for level in (21, 22):
        down_tx.send({"level": level})
    file = Descriptor(write_end)
    reply.send(a_parcel(label="answer", data=PATTERN[:70000], reply=back_tx, gauges=down, senders=[up_tx, up_tx], file=file, memory=memory))
    for handle in (back_tx, up_tx, file, memory, reply):
        handle.close()
    for level in (31, 32):
        expect_equal(up.recv(), {"level": level})
    expect_end(up)
    expect_equal(os.read(read_end, 64), b"through Python's")
    expect_equal(os.read(read_end, 64), b"")
    os.close(read_end)
    got = back.recv()
    expect_equal((got["id"], got["label"]), (99, "and back"))
    expect_end(back)
    down_tx.close()


def refuse(end, type_):
    try:
        end.become(type_)
    except TypeMismatch:
        return
    raise AssertionError("another type was taken")


def opaque_ends(given):
    """Theirs, which get their types here, and ours, which get them there."""
    got = given["crates"].recv()
    expect_equal(got["label"], "theirs")
    to, source, others = got["to"], got["source"], got["others"]
    first, second = source.recv_message(), source.recv_message()
    for end in (to, source):
        refuse(end, parcel)
        end.become(gauge)
    expect_equal((second.decode(gauge), first.decode(gauge)), ({"level": 2}, {"level": 1}))
    expect_equal(source.recv(), {"level": 3})
    to.send({"level": 4})
    refuse(others[0], gauge)
    others[0].become(raw)
    others[0].send(b"bytes")
    up_tx, up = channel(gauge)
    given["crates_back"].send({"label": "ours", "to": up_tx, "source": source, "others": [others[0], to]})
    for end in (up_tx, to, others[0]):
        end.close()
    expect_equal(up.recv(), {"level": 5})
    expect_end(up)
    expect_end(given["crates"])


def server(given):
    ours = Server(parcel, given["path"])
    try:
        ours.accept()
        raise AssertionError("another type was accepted")
    except TypeMismatch:
        expect_equal(ours.told, gauge.text().encode())
    parcels = ours.accept()
    expect_equal(ours.told, parcel.text().encode())
    try:
        connect(parcel, given["path"])
        raise AssertionError("its name is still there")
    except Refused:
        pass
    got = parcels.recv()
    expect_equal(got["id"], 7)
    got["reply"].send(a_parcel(id=8))
    got["reply"].close()
    expect_equal(parcels.recv()["id"], 9)
    expect_end(parcels)


# ---- lanes ----

def data_of(size):
    period = bytes(range(251))
    return (period * (size // 251 + 1))[:size]


LARGE, HUGE, TWICE = data_of(200000), data_of(17 << 20), data_of(3 << 20)


class Counted:
    """A sender whose messages are numbered."""

    def __init__(self, sender):
        self.sender, self.next = sender, 0

    def send(self, label="small", **fields):
        self.sender.send(a_parcel(id=self.next, label=label, **fields))
        self.next += 1


def send_until_answered(out):
    """The first message goes before the offer. The receiver comes to the offer when it comes to it."""
    out.send()
    leat_lane_writer.offer(out.sender, 65536)
    lane = out.sender.lane
    while out.sender.lane and lane.state != "open":
        time.sleep(0.001)
        out.send()
    expect_equal(out.sender.lane is None, LANES == "never")
    return lane


def lane_out(given):
    out = Counted(given["parcels_back"])
    lane = send_until_answered(out)
    for n in range(2000):
        out.send(data=LARGE[:n])
    for _ in range(20):
        time.sleep(0.01)  # It sleeps meanwhile, and has to be woken.
        out.send()
    out.send("pause")
    for n in range(200):
        out.send(data=LARGE[:1000])
    expect(lane.waits > 0 or LANES == "never", "the lane was never full")
    send_in_all_ways(out)
    for _ in range(500):
        out.send()
    clone = Counted(out.sender.clone())
    clone.next = out.next
    clone.send("clone")  # By the socket, behind what is in the lane.
    clone.send("give", reply=out.sender)  # By which C says the last one.
    clone.sender.close()
    close_all(given)


def send_in_all_ways(out):
    read_end, write_end = os.pipe()
    file = Descriptor(write_end)
    for _ in range(3):
        out.send("large", data=LARGE)
        out.send("file", file=file)
        expect_equal(os.read(read_end, 1), b"!")
    file.close()
    os.close(read_end)
    out.send("huge", data=HUGE)


def lane_in(given):
    parcels, back = given["parcels"], given["parcels_back"]
    parcels.grants_lanes = True
    counts, lanes = {True: 0, False: 0}, set()
    contents = {"small": b"12345678", "large": LARGE, "huge": HUGE}
    try:
        while True:
            got = parcels.recv()
            lanes.update(parcels.lanes)
            is_clone, label = got["label"] == "clone", got["label"]
            if label == "child":
                expect(got["id"] <= counts[False], "a forked child's message before its parent's")
                continue
            expect_equal(got["id"], counts[is_clone])
            counts[is_clone] += 1
            expect(label not in contents or got["data"] == contents[label], label)
            if label == "file":
                os.write(got["file"].fd, b"!")
            elif label == "wait":
                back.send(a_parcel())
                expect_equal(os.read(got["file"].fd, 1), b"")
            elif label == "pause":
                time.sleep(0.3)
            close_all(got)
    except Disconnected:
        pass
    expect_equal(label, "last")
    close_all(given)
    if LANES == "never":
        expect_equal(len(lanes), 0)
        return
    expect(len(lanes) in (2, 3), "the child may have had its own")
    expect(parcels.counts["lane"] > 600 and any(lane.sleeps for lane in lanes) and any(lane.bells for lane in lanes),
           f"{parcels.counts}, {[(lane.sleeps, lane.bells) for lane in lanes]}")


def echo(given):
    """Both sleep after each message, so this is the handshake before sleep, over and over."""
    parcels, back = given["parcels"], given["parcels_back"]
    parcels.grants_lanes = True
    back.send(parcels.recv())
    leat_lane_writer.offer(back, 2048)
    try:
        while True:
            back.send(parcels.recv())
    except Disconnected:
        pass
    expect_equal(back.lane is not None, LANES != "never")
    expect(LANES != "always" or parcels.counts["lane"] > 0, "C's sender has no lane")
    close_all(given)


def size_of(number):
    return 3 << 20 if number in (100, 200) else 8


def move(given):
    """Half a message is here already in the lane that comes along, and half a message goes along back."""
    parcels = given["parcels"]
    expect_equal([bool(lane.stream) for lane in parcels.lanes], [] if LANES == "never" else [True])
    for number in range(100, 200):
        got = parcels.recv()
        expect_equal(got["id"], number)
        expect(got["data"] == data_of(size_of(number)), number)
    while parcels.lanes and not parcels.lanes[0].stream:
        expect(parcels.try_recv() is None, "it came all at once")
    given["parcels_back"].send(a_parcel(parcels=parcels))
    given["parcels_back"].close()


ROLES = {"plain": plain, "values": values, "raw": raw_bytes, "evolution": evolution, "handles": handles, "opaque": opaque_ends, "server": server,
         "lane_out": lane_out, "lane_in": lane_in, "echo": echo, "move": move}


def count_descriptors():
    return len(os.listdir("/proc/self/fd"))


def be_turned_away(name):
    somebody_else = connect(visitor, name)
    expect_equal(somebody_else.sock.recv(1), b"")
    somebody_else.close()


def main(role, name):
    before = count_descriptors()
    be_turned_away(name)
    client = connect(hello, name)
    tasks_tx, tasks = channel(task)
    client.send({"role": role, "tasks": tasks_tx})
    tasks_tx.close()
    client.close()
    given = tasks.recv()
    ROLES[role](given)
    close_all(given)
    expect_end(tasks)
    expect_equal(count_descriptors(), before)


if __name__ == "__main__":
    main(*sys.argv[1:])
