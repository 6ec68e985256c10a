"""Clients that do a server no good. After each of them an honest one comes and must be taken; nothing is ever said to those who are not."""

import os
import socket
import time

from hostile import OK, TYPE_MISMATCH, VERSION_MISMATCH, number, server_case
from leat_packets import ALL_SEALS, BARRIER, GREETING, MARKER, OFFER, SEALED, Disconnected, make_memory

ONE_SHOT = ("oneshot", "set-oneshot")
FOR_MANY = ("listen", "set-listen")


def null(a):
    return a.keep(os.open("/dev/null", os.O_RDONLY))


def say(a, client, *packets, fds=()):
    """As long as anybody listens."""
    try:
        for packet in packets:
            a.send(packet, fds, answer=None, sock=client)
    except Disconnected:
        pass


def expect_turned_away(a, client):
    if not a.is_turned_away(client):
        raise AssertionError("it was not turned away")


def rejected(a, *packets, answer=None, fds=()):
    """A client that says this, and is turned away."""
    client = a.connect()
    say(a, client, *packets, fds=fds)
    a.expect(answer)
    expect_turned_away(a, client)


@server_case("a client that connects and goes")
def goes(a):
    for _ in range(50):
        a.connect().close()


@server_case("a client that connects and says nothing")
def silent(a):
    a.connect()
    time.sleep(0.05)


@server_case("a thousand clients that say nothing", ways=FOR_MANY)
def thousand_silent(a):
    for _ in range(1000):
        a.connect()


@server_case("a hundred clients that say nothing", ways=ONE_SHOT)
def hundred_silent(a):
    for _ in range(100):
        a.connect()


@server_case("clients that greet and then say nothing")
def greeted_silent(a):
    for _ in range(60):
        client = a.connect()
        say(a, client, a.greeting())


@server_case("clients that greet and go")
def greeted_goes(a):
    for _ in range(30):
        client = a.connect()
        say(a, client, a.greeting())
        client.close()


@server_case("clients that send something that is no greeting")
def no_greeting(a):
    for packet in (b"", b"x", bytes(23), bytes(24), bytes(1000), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", a.message(), a.message() * 2):
        rejected(a, packet)


@server_case("greetings of every length")
def greeting_lengths(a):
    whole = a.greeting()
    for size in range(len(whole)):
        rejected(a, whole[:size])


@server_case("greetings whose header is wrong")
def greeting_headers(a):
    for field in ({"encoding": 1}, {"encoding": 255}, {"n": 1}, {"n": 2}, {"n": 65535}, {"table_size": 1}, {"table_size": 2**32 - 1},
                  {"body_size": 0}, {"body_size": 2**64 - 1}, {"body_size": 18}, {"zero_3": 1}, {"zero_10": 1}, {"zero_10": 0x8000},
                  {"version": 0}, {"tag": bytes(4)}, {"tag": b"\xff" * 4}):
        values = {"kind": GREETING, "encoding": 0, **field}
        rejected(a, a.packet(a.fingerprint.bytes(), **values))
    for kind in [0] + [kind for kind in range(256) if kind != GREETING][1:12] + [255]:
        rejected(a, a.packet(a.fingerprint.bytes(), kind=kind, encoding=0))


@server_case("greetings of another version")
def greeting_versions(a):
    for version in (2, 3, 128, 255):
        rejected(a, a.greeting(version=version), answer=VERSION_MISMATCH)


@server_case("greetings of another type, with whatever as its text")
def greeting_types(a):
    other = number.fingerprint()
    for text in (b"", number.text().encode(), b"\0\0\0", b"\x1b[2J\x1b]0;gotcha\7", b"\xff" * 16384, b"%s%n%s%n", b"message " * 2048):
        rejected(a, a.packet(other.bytes() + text, kind=GREETING, encoding=0, tag=other.tag), answer=TYPE_MISMATCH)


@server_case("greetings with fingerprints that are none")
def greeting_fingerprints(a):
    base = a.fingerprint.base
    for n in (65, 66, 128, 255):
        rejected(a, a.packet(bytes([n]) + base + bytes(8 * n), kind=GREETING, encoding=0))
        rejected(a, a.packet(bytes([n]) + base, kind=GREETING, encoding=0))
    for n in (1, 64):
        rejected(a, a.packet(bytes([n]) + base, kind=GREETING, encoding=0))
        rejected(a, a.packet(bytes([n]) + base + b"\xee" * 8 * n, kind=GREETING, encoding=0), answer=TYPE_MISMATCH)


@server_case("greetings with too much text")
def greeting_text(a):
    for size in (16385, 16386, 20000, 65000):
        rejected(a, a.greeting(text=b"x" * size))
    rejected(a, a.greeting(text=b"x" * 16384), b"x")


@server_case("greetings with descriptors")
def greeting_descriptors(a):
    for n in (1, 2, 253):
        rejected(a, a.greeting(), fds=[null(a)] * n)
        rejected(a, a.greeting(n=n), fds=[null(a)] * n)


@server_case("a greeting, and a bad first message")
def bad_first(a):
    encoding, body = a.body()
    memory = a.keep(make_memory(ALL_SEALS, body))
    for packet in (b"", b"x", bytes(24), a.message()[:-1], a.packet(b"\xc1"), a.packet(body, kind=9), a.packet(body, n=1),
                   a.packet(body, table_size=1), a.packet(body, encoding=0), a.greeting(), a.packet(body, zero_3=1)):
        rejected(a, a.greeting(), packet)
    rejected(a, a.greeting(), a.packet(body, tag=b"none"), answer=TYPE_MISMATCH)
    rejected(a, a.greeting(), a.packet(body, version=7), answer=VERSION_MISMATCH)
    client = a.connect()
    say(a, client, a.greeting())
    say(a, client, a.packet(kind=SEALED, encoding=encoding, body_size=len(body) + 1), fds=[memory])
    say(a, client, a.message(), fds=[null(a)] * 253)
    expect_turned_away(a, client)


@server_case("a greeting, and then lanes instead of a message", type="number")
def lanes_first(a):
    for kind, size in ((MARKER, 16), (BARRIER, 24), (OFFER, 31), (OFFER, 0)):
        client = a.connect()
        say(a, client, a.greeting())
        for _ in range(5):
            say(a, client, a.packet(bytes(size), kind=kind, encoding=0))


@server_case("clients that are shut in the middle")
def shut(a):
    for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
        client = a.connect()
        client.shutdown(how)
        client = a.connect()
        say(a, client, a.greeting())
        client.shutdown(how)


@server_case("clients that say what is to come later, all at once", ways=FOR_MANY)
def all_at_once(a):
    for _ in range(20):
        client = a.connect()
        say(a, client, a.greeting())
        a.send(a.message(), sock=client, answer=OK)
        say(a, client, *[b"x"] * 20)


@server_case("rubbish without end, by many")
def rubbish(a):
    for i in range(200):
        client = a.connect()
        say(a, client, *[b"\0" + a.random.randbytes(a.random.randrange(100)) for _ in range(5)])


@server_case("strangers of other families at its door")
def families(a):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as sock:
            try:
                sock.connect(a.path)
            except OSError:
                continue
            raise AssertionError("the system should not let it in")


@server_case("a client that hands its socket to many, who all greet")
def many_greet(a):
    client = a.connect()
    copies = [a.keep(client.dup()) for _ in range(20)]
    for copy in copies:
        say(a, copy, a.greeting())
    expect_turned_away(a, client)
