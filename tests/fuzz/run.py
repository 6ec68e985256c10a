"""Runs the fuzz targets under libFuzzer, two side by side, each for LEAT_FUZZ_SECONDS (600), and says how many inputs that were.

usage: run.py [--short] [--build FOLDER] [TARGET…]

FOLDER (build/fuzz) is configured with clang unless it has been, and only what is fuzzed is built there. Each target begins with its seeds and
with what earlier runs have found to reach something new, which is kept in FOLDER/corpus; --short begins with the seeds, takes 5 seconds and
keeps nothing. Exit code 1: something was found; the input is in FOLDER/findings, to be run by `FOLDER/tests/bin/fuzz_TARGET_libfuzzer FILE`,
and with any compiler by `fuzz_TARGET FILE`.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent
ROOT = SOURCE.parent.parent

# Where what there is to say takes more than 1 KiB.
LONGEST = {"handshake": 4096, "schema": 4096}


def build(folder):
    if not (folder / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "release", "-B", folder, "-DCMAKE_C_COMPILER=clang", "-DLEAT_TESTS=ON"],
                       cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", folder, "--target", "fuzzers"], check=True)


def run(folder, corpus, target, seconds):
    """The log, and whether nothing was found."""
    corpus, findings = pathlib.Path(corpus) / target, folder / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    command = [folder / "tests" / "bin" / f"fuzz_{target}_libfuzzer", corpus, SOURCE / "seeds" / target,
               f"-max_total_time={seconds}", f"-max_len={LONGEST.get(target, 1024)}", "-timeout=60", "-rss_limit_mb=1024",
               "-malloc_limit_mb=64",
               "-detect_leaks=1", "-print_final_stats=1", f"-artifact_prefix={findings}/{target}-"]
    words = SOURCE / f"{target}.dict"
    if words.exists():
        command.append(f"-dict={words}")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False)
    return done.stdout, done.returncode == 0


def number(pattern, log):
    found = re.findall(pattern, log)
    return int(found[-1]) if found else 0


def run_all(folder, corpus, targets, seconds):
    """Whether nothing was found."""
    clean = True
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = {target: pool.submit(run, folder, corpus, target, seconds) for target in targets}
        for target, result in runs.items():
            log, good = result.result()
            clean = clean and good
            if not good:
                print(log[-20000:])
            print(f"fuzz_{target}: {number(r'number_of_executed_units: *([0-9]+)', log)} executions in {seconds} s, "
                  f"{number(r'cov: ([0-9]+)', log)} edges, {number(r'peak_rss_mb: *([0-9]+)', log)} MiB, "
                  f"{'no finding' if good else 'FOUND SOMETHING'}", flush=True)
    return clean


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--short", action="store_true")
    options.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "fuzz")
    options.add_argument("targets", nargs="*")
    options = options.parse_args()
    targets = options.targets or sorted(file.stem.removeprefix("fuzz_") for file in SOURCE.glob("fuzz_*.c"))
    seconds = int(os.environ.get("LEAT_FUZZ_SECONDS", "5" if options.short else "600"))
    folder = options.build.absolute()
    build(folder)
    with tempfile.TemporaryDirectory() as nowhere:
        clean = run_all(folder, nowhere if options.short else folder / "corpus", targets, seconds)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
