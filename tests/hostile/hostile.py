"""What hostile peers have at hand, and what is asked of the victim after each. The victim is a program with the library (victim.c); the
peer is Python that holds the raw socket and writes what it likes. The packets are those of the peer in tests/channel/wire/, spoiled.

A case is a function with a name:

    @case("a boolean of 2", type="gauge", answer=MALFORMED)
    def a_boolean_of_2(a):
        a.send(a.packet(encoding=PLAIN, body=bytes(8) + b"\\2" + bytes(23)))

Its body gets the attacker `a`: `a.sock` is the sending end of a channel whose receiver is live meanwhile, `a.send()` sends one packet and
writes down what the receiver has to say of it (`answer=` there, or that of the case; a tuple: one of these; None: nothing). Afterwards,
without the case's help:

  * the receiver has said exactly that, in that order; no deadline was cut short, and every call came back;
  * an honest message by the same channel arrives (after a case that ends in DISCONNECTED the channel is at its end instead);
  * once the attacker's end is closed the receiver finds the end, and nothing else;
  * the victim has as many descriptors as before and as much memory, none of the attacker's, and at no time took more than the case's `memory` (MiB) over that;
  * in a set: beats of all neighbours came meanwhile, each once and in order, and none waited while many packets were taken.

Every case is run in each of its `ways` (see victim.h): CHANNEL_WAYS or SERVER_WAYS, if it does not say otherwise. `needs` is a function that
returns why a case cannot be run here, or None. What has to be kept till the end of a case is closed by `a.keep()`; what has to be let go
before descriptors are counted, by `a.at_end()`.
"""

import fcntl
import os
import random
import select
import socket
import struct
import subprocess
import time

from leat_packets import GREETING, HEADER, MESSAGE, VERSION, Disconnected, deadline, send_bytes
from leat_peer import connect
from leat_types import MESSAGEPACK, PLAIN, RAW, Enum, Message, Variant, encode, opaque, raw

OK, EMPTY, FULL, TIMEOUT, DISCONNECTED, TYPE_MISMATCH, MALFORMED, TOO_LARGE, NO_DESCRIPTORS, REFUSED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
VERSION_MISMATCH = 12
PATIENCE = float(os.environ.get("HOSTILE_PATIENCE", 30))  # Seconds: nothing takes so long but what hangs.
CHANNEL_WAYS = ("alone", "undecoded", "opaque", "set", "router")
SENDER_WAYS = ("sender", "set-sender")
SERVER_WAYS = ("oneshot", "listen", "set-oneshot", "set-listen")
# The library's least packet of a set's turn: a lane's messages are asked for this often before others' sockets are.
MOST_PASSED = 1024
# What malloc(3) keeps at hand for each of its sizes counts as in use. Smaller leaks are LeakSanitizer's to find.
HEAP_NOISE = 64 * 1024
LEAST_MARK = 1 << 62  # Honest messages of cases have no numbers from this to twice this.

# ---- the victim's types ----

color = Enum("color", "red", "green", "blue")
point = Message("point", ("i32", "x"), ("i32", "y"))
shape = Variant("shape", (point, "dot"), ("unit", "nothing"), ("u8", "small"), ("boolean", "on"))
number = Message("number", ("u64", "id"))
gauge = Message("gauge", ("u64", "id"), ("boolean", "on"), (color, "paint"), (shape, "what"), ("fixed_array", 3, "boolean", "flags"))
image = Message("image", ("u64", "id"), ("fixed_array", 9000, "u8", "pixels"))
tree = Message("tree")
tree.define(("string", "name"), ("array", tree, "branches"))
parcel = Message("parcel", ("u64", "id"), ("string", "label"), ("bytes", "data"), ("any", "some"), ("i8", "small"), ("f32", "single"),
                 ("f64", "real"), ("boolean", "on"), (color, "paint"), (shape, "what"), (tree, "wood"), (raw, "rough"),
                 ("array", "u16", "numbers"), ("fixed_array", 2, "string", "names"), ("descriptor", "file"), ("shared_memory", "memory"),
                 (("sender", number), "reply"), (("receiver", number), "values"), (("sender", opaque), "to"),
                 (("receiver", opaque), "source"), ("array", "descriptor", "files"), ("optional", "string", "note"))
TYPES = {"number": number, "gauge": gauge, "image": image, "parcel": parcel, "raw": raw}
EMPTY_PARCEL = {"label": "", "data": b"", "some": b"\xc0", "small": 0, "single": 0.0, "real": 0.0, "on": False, "paint": "red",
                "what": ("nothing", None), "wood": {"name": "", "branches": []}, "rough": b"", "numbers": [], "names": ["", ""],
                "file": None, "memory": None, "reply": None, "values": None, "to": None, "source": None, "files": [], "note": None}


def value_of(type_, id_, **fields):
    """An honest value with this id."""
    if type_ is raw:
        return struct.pack("<Q", id_)
    others = {"number": {}, "gauge": {"on": True, "paint": "blue", "what": ("dot", {"x": 1, "y": -1}), "flags": [True, False, True]},
              "image": {"pixels": [0] * 9000}, "parcel": EMPTY_PARCEL}[type_.name]
    return {"id": id_, **others, **fields}


# ---- cases ----

class Case:
    def __init__(self, name, body, type, answer, ways, options, memory, needs, is_server, spoils=False):
        self.name, self.body, self.type, self.answer = name, body, type, answer
        self.file = body.__module__
        self.ways, self.options, self.memory, self.needs, self.is_server, self.spoils = ways, options, memory, needs, is_server, spoils


CASES = []


def case(name, type="parcel", answer=MALFORMED, ways=CHANNEL_WAYS, options="", memory=64, needs=None, spoils=False):
    """`options` are the channel's: "limit=1000 handles=3 lanes=never". `spoils`: the victim is another one afterwards."""
    def register(body):
        if any(each.name == name for each in CASES):
            raise ValueError(f"two cases are called {name!r}")
        CASES.append(Case(name, body, TYPES[type], answer, ways, options, memory, needs, ways[0] in SERVER_WAYS, spoils))
        return body
    return register


def server_case(name, type="parcel", answer=None, ways=SERVER_WAYS, memory=64, needs=None):
    """Its attacker has `a.path` and `a.connect()`; afterwards an honest client comes, and must be taken."""
    return case(name, type, answer, ways, "", memory, needs)


def sender_case(name, type="number", ways=SENDER_WAYS, capacity=4096, memory=64, needs=None, spoils=False):
    """Its attacker is what the victim's receiver should be (receivers.py): `a.sock` is the receiving end, and `a.victim` sends."""
    return case(name, type, None, ways, str(capacity), memory, needs, spoils)


# ---- the attacker ----

class Attacker:
    def __init__(self, case_, way, place, grants_lanes):
        self.case, self.way, self.type = case_, way, case_.type
        self.sock = place if isinstance(place, socket.socket) else None
        self.path = place if isinstance(place, str) else None
        self.grants_lanes = grants_lanes  # False: the victim's library was told never to.
        self.fingerprint = self.type.fingerprint()
        self.tag = self.fingerprint.tag
        self.expected, self.n_packets = [], 0
        self.wild = None  # Outcomes: any of these may come, any number of times, and `expected` is not asked.
        self.least_timeouts = 0  # How often a receive must have waited in vain, alone.
        self.kept, self.last = [], []
        self.random = random.Random(case_.name)

    def packet(self, body=b"", table=b"", kind=MESSAGE, encoding=MESSAGEPACK, tag=None, n=0, version=VERSION, zero_3=0, zero_10=0,
               table_size=None, body_size=None):
        """A whole packet; what is not said is as it should be."""
        return HEADER.pack(version, kind, encoding, zero_3, self.tag if tag is None else tag, n, zero_10,
                           len(table) if table_size is None else table_size,
                           len(body) if body_size is None else body_size) + table + body

    def body(self, id_=7, **fields):
        """Encoding and body of an honest message; a handle's field is given the number of its row."""
        return encode(self.type, value_of(self.type, id_, **fields), lambda row: row)

    def message(self, id_=7, table=b"", n=0, **fields):
        encoding, body = self.body(id_, **fields)
        return self.packet(body, table, encoding=encoding, n=n)

    def expect(self, answer):
        if answer is not None:
            self.expected.append(answer if isinstance(answer, tuple) else (answer,))

    def send(self, data, fds=(), answer="of the case", sock=None):
        """One packet. Raises Disconnected when nobody can receive it any more."""
        send_bytes(sock or self.sock, [data], list(fds), deadline(PATIENCE))
        self.n_packets += 1
        self.expect(self.case.answer if answer == "of the case" else answer)

    def connect(self):
        """To the victim's server; nothing is said yet."""
        sock = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        sock.settimeout(0)
        end = deadline(PATIENCE)
        while True:
            try:
                sock.connect(self.path)
                break
            except BlockingIOError:  # Too many stand before its door.
                if time.monotonic() > end:
                    raise
                time.sleep(0.001)
        sock.settimeout(None)
        return sock

    def greeting(self, text=b"", **fields):
        return self.packet(self.fingerprint.bytes() + text, kind=GREETING, encoding=0, **fields)

    def is_turned_away(self, sock):
        """Whether the server closes it before one's patience ends."""
        poller = select.poll()
        poller.register(sock, 0)
        return bool(poller.poll(PATIENCE * 1000))

    def keep(self, thing):
        """A descriptor's number, or what has a close(): closed after all."""
        self.kept.append(thing)
        return thing

    def at_end(self, function):
        """Called when the victim has finished the case, before its descriptors are counted; what was said first is done first."""
        self.last.append(function)

    def let_go(self):
        for function in self.last:
            function()
        for thing in reversed(self.kept):
            if isinstance(thing, int):
                os.close(thing)
            else:
                thing.close()
        if self.sock:
            self.sock.close()
        self.last, self.kept = [], []


# ---- the victim ----

class Fallen(Exception):
    """The victim is dead, or hangs."""


class Failed(Exception):
    """What the victim did was not what it has to do."""


class Outcome:
    def __init__(self, text):
        said, timing, beats = (part.split() for part in text.split("|"))
        self.said, self.skipped = [], None
        for word in said[1:]:
            if word.startswith("skipped="):
                self.skipped = int(word[8:])
                continue
            outcome, count = word.split("*")
            self.said += [int(outcome)] * int(count)
        self.timeouts, self.early, self.latest_us = map(int, timing)
        self.beats, self.median_us, self.most_us, self.passed = map(int, beats)


class Victim:
    def __init__(self, program, n_neighbours):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen([program, str(theirs.fileno()), str(n_neighbours)], pass_fds=[theirs.fileno()])

    def tell(self, words):
        try:
            self.control.send(words.encode())
        except OSError:
            raise Fallen(f"it is dead ({self.process.poll()})") from None

    def hear(self):
        poller = select.poll()
        poller.register(self.control, select.POLLIN)
        if not poller.poll(2 * PATIENCE * 1000):
            raise Fallen("it hangs")
        try:
            data, fds, _, _ = socket.recv_fds(self.control, 1 << 20, 1)
        except ConnectionResetError:
            data, fds = b"", []
        if not data:
            raise Fallen(f"it is dead: {self.process.wait(PATIENCE)}")
        return data.decode(), fds

    def ask(self, words):
        self.tell(words)
        return self.hear()

    def open(self, case_, way):
        """The attacker's socket, or the server's name."""
        text, fds = self.ask(f"open {case_.type.name.removeprefix('leat_')} {way} {case_.options}")
        return socket.socket(fileno=fds[0]) if fds else text.split()[1]

    def oppose(self, case_):
        """The receiving end of a channel by which it sends."""
        return socket.socket(fileno=self.ask(f"oppose {case_.type.name.removeprefix('leat_')} {case_.options}")[1][0])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def settled_descriptors(self, wanted):
        end = deadline(PATIENCE)
        while (now := self.descriptors()) != wanted and time.monotonic() < end:
            time.sleep(0.002)
        return now

    def mappings(self):
        """Of memory that the peer in Python has made."""
        with open(f"/proc/{self.process.pid}/maps") as maps:
            return sum("/memfd:leat-peer " in line for line in maps)

    def heap(self):
        return int(self.ask("state")[0].split()[1])

    def memory(self, what):
        """KiB: VmRSS, or VmHWM, the most since forget_peak()."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(what + ":"))

    def forget_peak(self):
        try:
            with open(f"/proc/{self.process.pid}/clear_refs", "w") as refs:
                refs.write("5")
        except OSError:
            pass  # Then the peak is that of all cases until now: never too low.

    def end(self):
        """Its exit code must be 0: a sanitizer's leaks are told by it too."""
        if self.ask("quit")[0] != "quit" or self.process.wait(PATIENCE) != 0:
            raise Failed(f"the victim ended with {self.process.returncode}")
        self.control.close()

    def bury(self):
        self.process.kill()
        self.process.wait()
        self.control.close()


# ---- one run of one case ----

class Run:
    """`figures` says what was measured."""

    def __init__(self, victim, case_, way, is_sanitized, grants_lanes):
        self.victim, self.case, self.way = victim, case_, way
        self.is_sanitized, self.grants_lanes = is_sanitized, grants_lanes
        self.mark = random.getrandbits(62) | LEAST_MARK

    def check(self, is_right, what):
        if not is_right:
            raise Failed(what)

    def run(self):
        heap = self.victim.heap()  # Asked first: it has started when it answers.
        descriptors, resident = self.victim.descriptors(), self.victim.memory("VmRSS")
        self.victim.forget_peak()
        place = self.victim.open(self.case, self.way)
        a = self.attacker = Attacker(self.case, self.way, place, self.grants_lanes)
        try:
            self.victim.tell(f"run {self.mark}")
            self.case.body(a)
            is_over = bool(a.expected) and a.expected[-1] == (DISCONNECTED,)
            if not is_over:
                self.come_honestly()
            self.judge(Outcome(self.victim.hear()[0]), is_over)
            if not self.case.is_server and not is_over:
                self.end_channel()
            self.victim.ask("close")
        finally:
            a.let_go()
        self.compare(descriptors, heap, resident)

    def compare(self, descriptors, heap, resident):
        """With what was before."""
        if self.way.endswith("oneshot"):
            self.check(not os.path.exists(self.attacker.path), "the server's name is still there")
        now = self.victim.settled_descriptors(descriptors)
        self.check(now == descriptors, f"{now} descriptors, and {descriptors} before")
        left = self.victim.mappings()
        self.check(left == 0, f"{left} mappings of the attacker's memory are left")
        if not self.is_sanitized:
            peak = self.victim.memory("VmHWM") - resident
            self.check(peak < self.case.memory * 1024, f"it took {peak} KiB")
            grown = self.victim.heap() - heap
            self.check(grown < HEAP_NOISE, f"its heap has grown by {grown} bytes")

    def come_honestly(self):
        a = self.attacker
        if self.case.is_server:
            client = a.keep(connect(self.case.type, a.path))
            client.send(value_of(self.case.type, self.mark))
        else:
            a.send(a.message(self.mark), answer=None)

    def end_channel(self):
        self.attacker.sock.close()
        self.victim.tell("run 0")
        end = Outcome(self.victim.hear()[0])
        self.check(end.said == [DISCONNECTED], f"at its end the channel says {end.said}")

    def judge_answers(self, outcome, is_over):
        a = self.attacker
        if a.wild is not None:
            self.check(set(outcome.said) <= set(a.wild), f"it said {shorten(outcome.said)}, and may say {a.wild}")
            return
        if self.way == "router":  # Which of several outcomes a skipped packet had, it does not say.
            least, most = a.expected.count((OK,)), sum(OK in answers for answers in a.expected)
            n_ok = min(max(outcome.said.count(OK), least), most)
            wanted = [(OK,)] * n_ok + [(DISCONNECTED,)] * is_over
            skipped = len(a.expected) - len(wanted)
            self.check(outcome.skipped == skipped, f"the router skipped {outcome.skipped}, not {skipped}")
        else:
            wanted = a.expected
        self.check(len(outcome.said) == len(wanted), f"it said {shorten(outcome.said)}, to {len(wanted)} packets: {shorten(wanted)}")
        for i, (said, answers) in enumerate(zip(outcome.said, wanted)):
            self.check(said in answers, f"to packet {i} it said {said}, not {answers}: {shorten(outcome.said)}")

    def judge(self, outcome, is_over):
        a = self.attacker
        self.figures = outcome
        self.judge_answers(outcome, is_over)
        self.check(outcome.early == 0, f"{outcome.early} deadlines were cut short")
        self.check(outcome.latest_us < PATIENCE * 1e6, f"a receive came back {outcome.latest_us} us after its deadline")
        if self.way in ("alone", "undecoded", "opaque"):
            self.check(outcome.timeouts >= a.least_timeouts, f"only {outcome.timeouts} deadlines passed")
        self.check(outcome.most_us < PATIENCE * 1e6, f"a neighbour's message came {outcome.most_us} us late")
        self.check(outcome.passed <= MOST_PASSED, f"a neighbour's message waited while {outcome.passed} packets were taken")


class SenderRun(Run):
    """One of a case whose attacker receives."""

    def run(self):
        heap = self.victim.heap()
        descriptors, resident = self.victim.descriptors(), self.victim.memory("VmRSS")
        self.victim.forget_peak()
        a = self.attacker = Attacker(self.case, self.way, self.victim.oppose(self.case), self.grants_lanes)
        a.victim, self.figures, a.note = self.victim, Outcome("run | 0 0 0 | 0 0 0 0"), self.note
        try:
            self.case.body(a)
            self.victim.ask("close")
        finally:
            a.let_go()
        self.compare(descriptors, heap, resident)

    def note(self, outcome):
        self.check(outcome.early == 0, f"{outcome.early} deadlines were cut short")
        self.check(outcome.latest_us < PATIENCE * 1e6, f"a send came back {outcome.latest_us} us after its deadline")
        self.check(outcome.most_us < PATIENCE * 1e6, f"a neighbour's message came {outcome.most_us} us late")
        outcome.beats += self.figures.beats
        outcome.latest_us = max(outcome.latest_us, self.figures.latest_us)
        self.figures = outcome


class FirstRun(Run):
    """What the library makes once and keeps is made in it, and neighbours get their lanes."""

    def compare(self, descriptors, heap, resident):
        pass


def shorten(things):
    return str(things[:12])[:-1] + (", …]" if len(things) > 12 else "]")
