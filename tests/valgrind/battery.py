"""The tests' programs under valgrind's memcheck: no invalid access, no use of what was never written (in no system call either), nothing lost at
exit, in every process: those that leave by _exit, and those that are killed, too.

    python3 battery.py PROGRAMS [--skipped FILE] [--only EXPRESSION] [--transports NAME…] [--jobs N] [--logs FOLDER]

PROGRAMS has a line for each: its name, `criterion` or `program`, `each` transport or `once`, and the command. A Criterion program stands there as
plain_criterion.c made it. What cannot be seen under valgrind is listed in FILE, what valgrind is wrong about in `suppressions`.

All processes of a program report to one pipe, for files would be truncated by each exec; every line there begins with a process's number. A process
that says what valgrind says of an error is red, whatever becomes of it.

To repeat one: LEAT_LANES=TRANSPORT LEAT_TESTS_PATIENCE=10 valgrind --fair-sched=yes --trace-children=yes --leak-check=full COMMAND [SUITE::TEST]"""

import argparse
import collections
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 10  # Everything takes so many times as long, more or less.
SECONDS = 900  # For one program, before it counts as hung.
# What one test does very often: as often as under AddressSanitizer.
LESS = {"LEAT_ROUTES": "10000"}
RED = 99
LINE = re.compile(r"(?:==|--)(\d+)(?:==|--) ?(.*)")
# What begins a report: the line before a stack's first frame, unless it is about an address in a report that has begun, or no error.
FRAME = re.compile(r"   at 0x[0-9A-F]+: ")
NO_ERROR = re.compile(r"\s|WARNING: unhandled .* syscall|Process terminating with default action of signal")
UNHANDLED = re.compile(r"WARNING: unhandled .* syscall: (\d+)")
SUMMARY = re.compile(r"ERROR SUMMARY: \d+ errors .*suppressed: (\d+) ")
TESTS = re.compile(r"^tests (\d+), skipped (\d+), failed (\d+)$", re.MULTILINE)


class Program:
    def __init__(self, line):
        self.name, self.kind, transports, *self.command = line.split()
        self.each = transports == "each"


class Log:
    """What the processes of one run say, read while they say it."""

    def __init__(self, path):
        os.mkfifo(path)
        os.chmod(path, 0o666)  # Some tests go on as another user.
        # Open for both, so that it has no end before close().
        self.pipe = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.text = b""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        while not self.text.endswith(b"\n==end==\n"):
            self.text += os.read(self.pipe, 1 << 16)

    def close(self):
        """Returns the lines of each process, by its number."""
        os.write(self.pipe, b"\n==end==\n")
        self.reader.join()
        os.close(self.pipe)
        lines = collections.defaultdict(list)
        for match in map(LINE.match, self.text.decode(errors="replace").split("\n")):
            if match:
                lines[int(match[1])].append(match[2])
        return lines


class Findings:
    """What the processes of one run have said."""

    def __init__(self, processes):
        self.processes = len(processes)
        self.to_the_end = self.suppressed = self.errors = 0
        self.unhandled = collections.Counter()
        for lines in processes.values():
            summaries = [match for match in map(SUMMARY.match, lines) if match]
            self.to_the_end += bool(summaries)
            self.suppressed += sum(int(match[1]) for match in summaries)
            self.errors += sum(bool(FRAME.match(second)) and not NO_ERROR.match(first) for first, second in zip(lines, lines[1:]))
            self.unhandled.update(match[1] for match in map(UNHANDLED.match, lines) if match)


def valgrind(pipe):
    kinds = "definite,indirect,possible"
    return ["valgrind", "--fair-sched=yes", "--vgdb=no", "--trace-children=yes", "--leak-check=full", f"--show-leak-kinds={kinds}",
            f"--errors-for-leak-kinds={kinds}", f"--error-exitcode={RED}", "--error-limit=no", "--num-callers=30",
            f"--suppressions={HERE}/suppressions", f"--log-file={pipe}"]


def left_out(path, programs):
    """The names of what is not run, by program: a line is PROGRAM NAME REASON; `*` is the whole program."""
    names = {program.name: set() for program in programs}
    if not path:
        return names
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                program, name, _ = line.split(maxsplit=2)
                names[program].add(name)
    return names


class Run:
    """A program over one transport."""

    def __init__(self, program, transport, without):
        self.name = program.name + (f".{transport}" if transport else "")
        self.command = program.command
        self.without = without
        self.criterion = program.kind == "criterion"
        self.transport = transport

    def go(self, folder):
        """Sets what came out of it."""
        begin = time.monotonic()
        folder = tempfile.mkdtemp(prefix="", dir=folder)
        pipe = os.path.join(folder, "log")
        log = Log(pipe)
        environment = dict(os.environ, **LESS, TMPDIR=folder, LEAT_TESTS_PATIENCE=str(PATIENCE), LEAT_TESTS_WITHOUT=" ".join(self.without))
        if self.transport:
            environment["LEAT_LANES"] = self.transport
        test = subprocess.Popen(valgrind(pipe) + self.command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self.output = test.communicate(timeout=SECONDS)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(test.pid, signal.SIGKILL)
            self.output = test.communicate()[0].decode(errors="replace") + f"\nstill ran after {SECONDS} s\n"
        self.findings = Findings(log.close())
        self.output += log.text.decode(errors="replace")
        self.code = test.returncode
        counts = TESTS.search(self.output)
        self.tests, skipped = map(int, counts.groups()[:2]) if counts and self.criterion else (1, 0)
        self.skipped = len(self.without) + skipped
        for name in self.without - set(re.findall("^left out: (.*)$", self.output, re.MULTILINE)):
            self.output += f"\nthere is no {name} to be left out\n"
            self.code = self.code or RED
        self.passed = self.code == 0 and self.findings.errors == 0 and self.findings.to_the_end > 0
        self.seconds = time.monotonic() - begin


class Battery:
    def __init__(self, logs):
        self.logs = logs
        self.saying = threading.Lock()
        self.runs = []

    def run(self, run, folder):
        run.go(folder)
        with self.saying:
            self.runs.append(run)
            log = ""
            if not run.passed:
                log = os.path.join(self.logs, run.name + ".log")
                with open(log, "w", encoding="utf-8") as file:
                    file.write(run.output)
                log = f", code {run.code}: {log}"
            print(f"{'passed' if run.passed else 'FAILED':8}{run.seconds:7.1f} s  {run.name}: tests {run.tests}, skipped {run.skipped}, "
                  f"processes {run.findings.processes}, errors {run.findings.errors}{log}", flush=True)

    def total(self, what):
        return sum(getattr(run.findings, what) for run in self.runs)

    def say(self, seconds):
        failed = [run.name for run in self.runs if not run.passed]
        unhandled = sum((run.findings.unhandled for run in self.runs), collections.Counter())
        ended = self.total("processes") - self.total("to_the_end")
        print("calls that this valgrind does not know and answers by ENOSYS: " +
              (", ".join(f"{number} ({times} times)" for number, times in sorted(unhandled.items())) or "none"))
        print(f"under valgrind: programs {len(self.runs)}, failed {len(failed)}; tests {sum(run.tests for run in self.runs)}, "
              f"skipped {sum(run.skipped for run in self.runs)}; processes {self.total('processes')}, of them ended by others {ended}; "
              f"errors {self.total('errors')}, suppressed {self.total('suppressed')}; seconds {seconds:.0f}")
        if failed:
            print("failed: " + " ".join(sorted(failed)))
        return 1 if failed or not self.runs else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("--skipped")
    parser.add_argument("--only", default="")
    parser.add_argument("--transports", nargs="+", default=["never", "always"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--logs", default="valgrind-logs")
    arguments = parser.parse_args()
    with open(arguments.programs, encoding="utf-8") as file:
        programs = [Program(line) for line in file]
    without = left_out(arguments.skipped, programs)
    chosen = [program for program in programs if re.search(arguments.only, program.name)]
    for program in chosen:
        if "*" in without[program.name]:
            print(f"skipped            {program.name}")
    runs = [Run(program, transport, without[program.name]) for program in chosen if "*" not in without[program.name]
            for transport in (arguments.transports if program.each else [None])]
    logs = os.path.abspath(arguments.logs)
    os.makedirs(logs, exist_ok=True)
    battery = Battery(logs)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.jobs) as workers:
        for future in [workers.submit(battery.run, run, folder) for run in runs]:
            future.result()
    sys.exit(battery.say(time.monotonic() - begin))


if __name__ == "__main__":
    main()
