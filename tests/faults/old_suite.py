"""The tests of a build folder, all of them or a sample, each under a launcher: the suite as another system sees it.

    python3 old_suite.py FOLDER LAUNCHER [--sample N] [--seconds N] [--seed N] [--jobs N] [--only EXPRESSION] [--but EXPRESSION]

--sample: so many, chosen by the seed, which is printed. --seconds: no test is begun after so many; how many were is said. --only and --but choose
by name. What CTest knows of a test (its command, environment, limit, locks) is asked of it, but it does not run them: two that run in one folder
write over each other's records."""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SKIPPED = 77
OWN = "faults.old_"  # Not within themselves.


class Case:
    def __init__(self, described):
        properties = {p["name"]: p["value"] for p in described["properties"]}
        self.name = described["name"]
        self.command = described["command"]
        self.folder = properties.get("WORKING_DIRECTORY")
        self.limit = properties.get("TIMEOUT", 300)
        self.skip_code = properties.get("SKIP_RETURN_CODE")
        self.environment = dict(os.environ)
        self.environment.update(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", []))
        self.locks = sorted(properties.get("RESOURCE_LOCK", []))


def arguments_of(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("launcher")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--but", default="$^")
    return parser.parse_args(argv)


def described(folder):
    """What CTest knows. It is asked in a folder of its own: even when it only lists, it empties the log of the run that this is part of."""
    with tempfile.TemporaryDirectory() as own:
        with open(os.path.join(own, "CTestTestfile.cmake"), "w", encoding="utf-8") as file:
            file.write(f'subdirs("{os.path.abspath(folder)}")\n')
        listed = subprocess.run(["ctest", "--test-dir", own, "--show-only=json-v1"], check=True, stdout=subprocess.PIPE)
        return json.loads(listed.stdout)["tests"]


def cases_of(arguments):
    cases = [Case(test) for test in described(arguments.folder) if "command" in test]
    cases = [case for case in cases if not case.name.startswith(OWN) and re.search(arguments.only, case.name)
             and not re.search(arguments.but, case.name)]
    if not cases:
        sys.exit("no test has such a name")
    if arguments.sample is None:
        return cases
    # From the folder's list sorted, so that a seed means the same wherever the tests are the same.
    return random.Random(arguments.seed).sample(sorted(cases, key=lambda case: case.name), min(arguments.sample, len(cases)))


class Suite:
    def __init__(self, arguments, cases):
        self.launcher = arguments.launcher
        self.last_begin = time.monotonic() + arguments.seconds
        self.locks = {name: threading.Lock() for case in cases for name in case.locks}
        self.counts = {"passed": 0, "skipped": 0, "failed": 0, "not begun": 0}
        self.saying = threading.Lock()

    def run(self, case):
        for name in case.locks:
            self.locks[name].acquire()
        try:
            begin = time.monotonic()
            result, output = self.result_of(case) if begin < self.last_begin else ("not begun", "")
            self.say(case, result, output, time.monotonic() - begin)
        finally:
            for name in case.locks:
                self.locks[name].release()

    def result_of(self, case):
        test = subprocess.Popen([self.launcher] + case.command, cwd=case.folder, env=case.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output = test.communicate(timeout=case.limit)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(test.pid, signal.SIGKILL)
            return "failed", test.communicate()[0].decode(errors="replace") + f"\nstill ran after {case.limit} s"
        if test.returncode == 0:
            return "passed", output
        if test.returncode == case.skip_code:
            return "skipped", output
        return "failed", output + f"\nexit code {test.returncode}"

    def say(self, case, result, output, seconds):
        with self.saying:
            self.counts[result] += 1
            if result != "not begun":
                print(f"{result:8}{seconds:7.2f} s  {case.name}", flush=True)
            if result in ("failed", "skipped"):
                print(output, flush=True)


def main():
    arguments = arguments_of(sys.argv[1:])
    cases = cases_of(arguments)
    if subprocess.run([arguments.launcher, "true"]).returncode == SKIPPED:
        sys.exit(SKIPPED)  # No filter is allowed here: each test would seem to be skipped by itself.
    print(f"tests {len(cases)}" + (f", seed {arguments.seed}" if arguments.sample else ""), flush=True)
    suite = Suite(arguments, cases)
    begin = time.monotonic()
    with ThreadPoolExecutor(arguments.jobs) as workers:
        for future in [workers.submit(suite.run, case) for case in cases]:
            future.result()
    print(f"under {os.path.basename(arguments.launcher)}: " + ", ".join(f"{result} {n}" for result, n in suite.counts.items()) +
          f", seconds {time.monotonic() - begin:.0f}")
    sys.exit(1 if suite.counts["failed"] > 0 or suite.counts["passed"] == 0 else 0)


if __name__ == "__main__":
    main()
