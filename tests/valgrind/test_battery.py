"""The battery is tested: what proof.c does wrong, in a child that is forgotten, must make it red, and be counted.

    python3 test_battery.py BATTERY PROOF"""

import re
import subprocess
import sys
import tempfile

WRONG = {"clean": 0, "stale": 1, "lost": 1, "killed": 1, "executed": 1}


def main():
    battery, proof = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        programs = f"{folder}/programs"
        with open(programs, "w", encoding="utf-8") as file:
            file.writelines(f"proof.{what} program once {proof} {what}\n" for what in WRONG)
        run = subprocess.run([sys.executable, "-B", battery, programs, "--logs", folder], stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    wrong = [what for what, errors in WRONG.items()
             if not re.search(f"^{'FAILED' if errors else 'passed'} .* proof.{what}: .* processes 2, errors {errors}", run.stdout, re.MULTILINE)]
    if f"programs {len(WRONG)}, failed {len(WRONG) - 1};" not in run.stdout or run.returncode != 1:
        wrong.append("summary")
    if wrong:
        sys.exit("not as expected: " + " ".join(wrong))


if __name__ == "__main__":
    main()
