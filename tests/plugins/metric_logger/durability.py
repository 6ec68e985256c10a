"""Every acknowledged event is in the metric log, whatever happens to the logger.

usage: durability.py FOLDER-OF-PROGRAMS PUBLISHER

A publisher asks for acknowledgements all the while; the logger is killed, and stopped, again and again. An event that
was acknowledged must be in the log; twice at most once for each death, since the logger may die between its write and
its answer. Only processes that were started here are signalled.
"""

import collections
import json
import os
import re
import signal
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sdk"))
from real_kernel import PATIENCE, Kernel  # pylint: disable=wrong-import-position

COUNT = 2000
KILLS = 4
STOPS = 1


def configuration(publisher):
    return {
        "host": "127.0.0.1", "port": 0, "bridge": False,
        "plugins": [
            {"pluginId": "MetricLogger", "heartbeatTimeoutMs": 3000, "restartDelayMs": 50},
            {"pluginId": "Publisher", "autoStart": False, "command": [publisher]},
        ],
    }


def hurt_the_logger(kernel):
    """Returns how many died."""
    pid = kernel.connected("MetricLogger")
    for number in range(KILLS + STOPS):
        seen = len(acknowledged(kernel))
        wait_until(lambda: len(acknowledged(kernel)) >= min(seen + 100, COUNT))
        os.kill(pid, signal.SIGSTOP if number == 1 else signal.SIGKILL)
        pid = kernel.connected("MetricLogger", other_than=pid)
    return KILLS + STOPS


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def acknowledged(kernel):
    found = [re.search(r"^\[Plugin:Publisher\] acknowledged (\d+)$", line) for line in list(kernel.lines)]
    return [int(match.group(1)) for match in found if match]


def check_log(folder, kernel, deaths):
    with open(os.path.join(folder, "MetricLogger", "metrics", "metrics.log"), encoding="utf-8") as log:
        lines = log.read().split("\n")
    assert lines.pop() == "", "the last line is torn"
    assert all(re.fullmatch(r"[^\t]+\tUserLoggedIn\tSender=Publisher\tUserId=1\tUsername=n\d+\tLoginTime=[^\t]+\tCount=\d+",
                            line) for line in lines), "a line is damaged"
    counts = collections.Counter(int(re.search(r"\tUsername=n(\d+)\t", line).group(1)) for line in lines)
    promised = acknowledged(kernel)
    missing = [number for number in promised if number not in counts]
    twice = {number: count for number, count in counts.items() if count > 1}
    print("%d acknowledged, %d lines, %d deaths, twice: %s" % (len(promised), len(lines), deaths, twice))
    assert len(promised) == len(set(promised)), "acknowledged twice"
    assert not missing, "acknowledged but not in the log: %s" % missing
    assert len(twice) <= deaths and all(count == 2 for count in twice.values()), "more doubles than deaths"
    assert len(promised) == COUNT, "not all were acknowledged: %s" % [l for l in kernel.lines if "] not " in l][:20]


def main():
    programs, publisher = sys.argv[1], sys.argv[2]
    with tempfile.TemporaryDirectory(prefix="leat-durability-") as folder:
        with open(os.path.join(folder, "kernelconfig.json"), "w", encoding="utf-8") as file:
            json.dump(configuration(publisher), file)
        with Kernel(programs, folder) as kernel:
            kernel.connected("MetricLogger")
            kernel.type("start Publisher --count %d" % COUNT)
            deaths = hurt_the_logger(kernel)
            kernel.wait_line(r"^\[Plugin:Publisher\] all answered$")
            kernel.wait_line(r"^Plugin Publisher exited with code 0")
            kernel.quit()
        check_log(folder, kernel, deaths)


main()
