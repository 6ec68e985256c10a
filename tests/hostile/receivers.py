"""What a hostile receiver has at hand: the receiving end of a channel by which the victim sends, and, when the victim has offered it, the
reader's side of a lane."""

import os
import select
import socket

from hostile import DISCONNECTED, FULL, OK, PATIENCE, TIMEOUT, Failed, Outcome, shorten
from lanes import send_now
from leat_packets import HEADER, OFFER, receive_packet
from leat_ring import ACCEPTED, MIN_LIMIT, TAIL, WORDS, Ring

READER_WAITS, READER_CLOSED, READER_RANG, WRITER_WAITS = 256 // 4, 264 // 4, 272 // 8, 384 // 4
SEND_OUTCOMES = (OK, FULL, TIMEOUT, DISCONNECTED)
MS = 30  # So long a send of the victim's may take, that need not succeed.
PATIENT = int(PATIENCE * 1000)  # And one that must, for it waits for no more than the attacker's next turn.


class Sends:
    """Messages that the victim sends meanwhile; ends() waits until it does no more."""

    def __init__(self, a, count, ms=MS, size=8):
        self.a, self.count = a, count
        a.victim.tell(f"send {count} {ms} {size}")

    def end(self):
        outcome = Outcome(self.a.victim.hear()[0])
        self.a.note(outcome)
        return outcome.said

    def must_end_in(self, *answers):
        """After any number of successes."""
        said = self.end()
        if said[-1] not in answers or any(said[:-1]):
            raise Failed(f"sends said {shorten(said[-3:])} at last, not {answers}, after {len(said) - 1}")
        return len(said) - 1

    def drain(self):
        """Reads what comes by the channel's socket until they have ended."""
        poller = select.poll()
        poller.register(self.a.victim.control, select.POLLIN)
        while not poller.poll(1):
            while (came := receive_packet(self.a.sock)):
                came.close()
        return self

    def must_succeed(self):
        said = self.end()
        if said != [OK] * self.count:
            raise Failed(f"sends said {shorten(said[-3:])} at last")


def take_packet(a):
    """The next of the channel's socket."""
    poller = select.poll()
    poller.register(a.sock, select.POLLIN)
    if not poller.poll(PATIENCE * 1000):
        raise Failed("nothing comes")
    return receive_packet(a.sock)


class Offer:
    """The victim's lane, before it is answered."""

    def __init__(self, a):
        self.a = a
        Sends(a, 1).must_succeed()
        while True:
            came = take_packet(a)
            if came.kind == OFFER:
                break
            came.close()
        body = came.data[HEADER.size:]
        self.identity = body[:16]
        size, limit = (int.from_bytes(body[at:at + 8], "little") for at in (16, 24))
        if len(came.fds) != 2 or limit < MIN_LIMIT or os.fstat(came.fds[0]).st_size != WORDS + size:
            raise Failed("that is no offer")
        self.memory = a.keep(came.fds[0])
        self.sock = a.keep(socket.socket(fileno=came.fds[1]))
        self.ring = Ring(self.memory, size, limit)
        a.keep(self.ring)
        self.position = 0

    def accept(self):
        self.sock.send(ACCEPTED)
        Sends(self.a, 1).must_succeed()
        return self

    def read_all(self):
        """As an honest reader would; what stands there may be the attacker's own nonsense, and have no end."""
        end = self.position + self.ring.limit
        while self.position < end:
            size = self.ring.u64[self.ring.header_index(self.position)] & 0xffffffff
            if not self.ring.u64[self.ring.header_index(self.position)]:
                break
            self.position += 8 + size + -size % 8
        self.ring.u64[TAIL] = self.position

    def fill(self, size=8):
        """Until there is no room any more."""
        Sends(self.a, 100000, 0, size).must_end_in(FULL)

    def say(self, data, fds=()):
        try:
            send_now(self.sock, data, fds)
        except PermissionError:  # The sender has switched SO_PASSRIGHTS off.
            send_now(self.sock, data)


def opposed(a):
    """A lane of the victim's, accepted."""
    return Offer(a).accept()
