"""Runs hostile peers (see hostile.py) against the victim.

    python3 battery.py VICTIM [--short] [--all-transports] [--seed N] [--sample N] [--only WORDS] [--file WORD] [--way WAY] [--repeat N] [--sanitized]
                              [--list] [--scribbles N]

Without options: every case in every way. --short: every case once, received from alone (a server's: one of the ways, by the seed), and a
sample of them in the set. --scribbles: rounds of each case that scribbles at random (scribble.py). --only: cases with these words in their names; --file: those of such a file. The transport is LEAT_LANES, as ever, or one after the other.
"""

import argparse
import os
import random
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "channel", "wire")]

import fuse  # noqa: E402
import hostile  # noqa: E402

for file in sorted(os.listdir(HERE)):
    if file.startswith("cases_") and file.endswith(".py"):
        __import__(file[:-3])

from scribble import Settings  # noqa: E402

N_NEIGHBOURS = 4
SCRIBBLES, SHORT_SCRIBBLES = 60, 2


def read_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("victim")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--all-transports", action="store_true")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--sample", type=int, default=12)
    parser.add_argument("--only", default="")
    parser.add_argument("--file", default="")
    parser.add_argument("--way", default=None)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--scribbles", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(2**32)
    Settings.seed = arguments.seed
    Settings.rounds = arguments.scribbles or (SHORT_SCRIBBLES if arguments.short else SCRIBBLES)
    return arguments


TRANSPORTS = ("never", "always", "automatic")  # What LEAT_LANES says.


def choose(arguments, cases):
    """Triples of a transport, a case and a way, in the order in which they are to be run."""
    transports = TRANSPORTS if arguments.all_transports else (os.environ.get("LEAT_LANES", "automatic"),)
    everything = [(transport, case, way) for transport in transports for case in cases for way in case.ways
                  if arguments.way in (None, way)]
    if not arguments.short:
        return everything * arguments.repeat
    dice = random.Random(arguments.seed)
    chosen = [choose_one(dice, transports, case) for case in cases]
    in_sets = [triple for triple in everything if triple[2].startswith("set")]
    chosen += dice.sample(in_sets, min(arguments.sample, len(in_sets)))
    return sorted(chosen, key=lambda triple: transports.index(triple[0]))


def choose_one(dice, transports, case):
    """One run of a case, over one of the transports that it can be run over, if there is one."""
    ways = [way for way in case.ways if not way.startswith("set")] if case.is_server else case.ways[:1]
    able = [transport for transport in transports if not reason_against(case, transport)]
    return dice.choice(able or transports), case, dice.choice(ways or case.ways)


def reason_against(case, transport):
    """Why it cannot be run here over this transport, or None."""
    os.environ["LEAT_LANES"] = transport
    return case.needs() if case.needs else None


class Battery:
    """Of one transport."""

    def __init__(self, arguments, transport):
        self.arguments, self.transport = arguments, transport
        self.victims = {}
        self.failures, self.skipped = [], {}
        self.n_runs = self.n_packets = self.n_beats = 0
        self.medians, self.most_us, self.passed, self.latest_us = [], 0, 0, 0
        self.grants_lanes = transport != "never"

    def victim(self, way):
        """The one for this way; those in sets have neighbours."""
        n = N_NEIGHBOURS if way.startswith("set") else 0
        if n not in self.victims:
            self.victims[n] = hostile.Victim(self.arguments.victim, n)
            self.warm_up(self.victims[n], n)
        return self.victims[n]

    def warm_up(self, victim, n):
        for type_ in hostile.TYPES.values():
            for way in ("set",) * 8 if n else ("alone", "undecoded", "opaque", "router"):
                case = hostile.Case("warm", lambda a: a.send(a.message()), type_, hostile.OK, (way,), "", 0, None, False)
                hostile.FirstRun(victim, case, way, self.arguments.sanitized, self.grants_lanes).run()

    def lose(self, way):
        n = N_NEIGHBOURS if way.startswith("set") else 0
        self.victims.pop(n).bury()

    def run(self, case, way):
        reason = reason_against(case, self.transport)
        if reason:
            self.skipped[case.name] = reason
            return
        kind = hostile.SenderRun if way in hostile.SENDER_WAYS else hostile.Run
        run = kind(self.victim(way), case, way, self.arguments.sanitized, self.grants_lanes)
        try:
            run.run()
        except Exception as error:  # Whatever it is, the next case has a victim of its own.
            self.failures.append((case.name, way))
            place = [frame for frame in traceback.extract_tb(error.__traceback__) if HERE in frame.filename][-1]
            print(f"FAILED: {case.name} ({way}): {type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno})",
                  flush=True)
            self.lose(way)
            return
        self.note(run)
        if case.spoils:
            self.end_victim(N_NEIGHBOURS if way.startswith("set") else 0)

    def note(self, run):
        self.n_runs += 1
        self.n_packets += run.attacker.n_packets
        self.latest_us = max(self.latest_us, run.figures.latest_us)
        if run.figures.beats:
            self.n_beats += run.figures.beats
            self.medians.append(run.figures.median_us)
            self.most_us = max(self.most_us, run.figures.most_us)
            self.passed = max(self.passed, run.figures.passed)

    def end_victim(self, n):
        victim = self.victims.pop(n)
        try:
            victim.end()
        except Exception as error:
            self.failures.append(("the end of the victim", str(error)))
            print(f"FAILED: the end of the victim: {error}", flush=True)
            victim.bury()

    def end(self):
        for n in list(self.victims):
            self.end_victim(n)

    def tell(self, n_cases, seconds):
        print(f"cases {n_cases}, runs {self.n_runs}, packets {self.n_packets}, seed {self.arguments.seed}, {seconds:.1f} s, "
              f"transport {self.transport}")
        if Settings.n_rounds > 0:
            print(f"rounds at random {Settings.n_rounds}, stores {Settings.n_stores}")
            Settings.n_rounds = Settings.n_stores = 0
        if self.medians:
            medians = sorted(self.medians)
            print(f"neighbours: beats {self.n_beats}, latency: median {medians[len(medians) // 2]} us, worst median {medians[-1]} us, "
                  f"worst {self.most_us} us; most packets taken while one waited: {self.passed}")
        print(f"deadlines: none early, the latest {self.latest_us} us late" if not self.failures else f"failures {len(self.failures)}")
        for reason in sorted(set(self.skipped.values())):
            names = sorted(name for name in self.skipped if self.skipped[name] == reason)
            print(f"skipped, {reason}: {len(names)} cases: {'; '.join(names[:8])}{'; …' if len(names) > 8 else ''}")


def run_all(arguments, transport, pairs):
    """Returns whether all was well, and something was done at all."""
    battery, begun = Battery(arguments, transport), time.monotonic()
    for case, way in pairs:
        battery.run(case, way)
    battery.end()
    battery.tell(len({case.name for case, _ in pairs}), time.monotonic() - begun)
    return not battery.failures and battery.n_runs > 0


def main():
    arguments = read_arguments()
    cases = [case for case in hostile.CASES if arguments.only in case.name and arguments.file in case.file]
    if arguments.list:
        print("\n".join(f"{case.name}: {', '.join(case.ways)}" for case in cases))
        return 0
    fuse.enter_namespaces()
    chosen = choose(arguments, cases)
    went_well = bool(chosen)
    for transport in dict.fromkeys(transport for transport, _, _ in chosen):
        os.environ["LEAT_LANES"] = transport
        went_well = run_all(arguments, transport, [triple[1:] for triple in chosen if triple[0] == transport]) and went_well
    return 0 if went_well else 1


if __name__ == "__main__":
    sys.exit(main())
