#!/usr/bin/env python3
"""Kills `limpid lake apply`, `purge` and `restore` at random moments, restores, and compares every table bit for bit.

  lake_crash.py FOLDER [ROUNDS] [SEED]

Needs `pip install pyarrow`; LIMPID names the program (default target/release/limpid). Ends with 1 if anything was lost.
"""

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

LIMPID = os.path.abspath(os.environ.get("LIMPID", "target/release/limpid"))
LAKES = 8


def limpid(*args, check=True):
    done = subprocess.run([LIMPID, "-q", "lake", *map(str, args)], capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{args}: {done.stderr}")
    return done


def bits(value):
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, dict):
        return tuple((name, bits(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(bits(inner) for inner in value)
    return value


def content(lake):
    """Schema and rows of every file outside the quarantine."""
    found = {}
    for path in sorted(lake.rglob("*.parquet")):
        name = path.relative_to(lake)
        if name.parts[0] != "_limpid":
            table = pq.ParquetFile(path).read()
            rows = Counter(tuple(bits(value) for value in row.values()) for row in table.to_pylist())
            found[str(name)] = (table.schema, rows)
    return found


def killed(rng, longest, *args):
    """Runs a command and kills it after a random time; whether it was still running, and how long it ran."""
    start = time.monotonic()
    process = subprocess.Popen([LIMPID, "-q", "lake", *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(rng.uniform(0, longest))
        return False, time.monotonic() - start
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True, longest


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "prices.yaml").write_text("accesses: 0\n")
    lakes = []
    for number in range(LAKES):
        lake = folder / f"origin-{number}"
        limpid("demo", lake, "--roots", 1, "--seed", rng.randrange(10**9))
        lakes.append((lake, content(lake)))
    longest = {"apply": 0.3, "purge": 0.2, "restore": 0.1}
    cut, lost, halfway = Counter(), 0, 0
    for number in range(rounds):
        origin, before = rng.choice(lakes)
        lake = folder / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        shutil.copytree(origin, lake)
        limpid("scan", lake)
        limpid("plan", lake, "--prices", folder / "prices.yaml", "--save", folder / "plan.json")
        steps = [("apply", folder / "plan.json")]
        kind = rng.randrange(4)
        if kind == 1:
            steps.append(("purge", lake, "--yes"))
        if kind >= 2:
            steps.append(("restore", lake))
        for at, step in enumerate(steps):
            if at < len(steps) - 1 and rng.random() < 0.7:
                limpid(*step, check=False)
            else:
                was, took = killed(rng, longest[step[0]] * 1.2, *step)
                if not was:
                    longest[step[0]] = max(0.05, 0.5 * longest[step[0]] + 0.5 * took)
                else:
                    cut[step[0]] += 1
        halfway += len(content(lake)) < len(before)
        done = limpid("restore", lake, check=False)
        after = content(lake)
        if done.returncode or after != before:
            lost += 1
            missing = sorted(set(before) - set(after))
            print(f"round {number}: {steps} lost {missing} {done.stderr}")
            shutil.copytree(lake, folder / f"lost-{number}")
    print(f"{rounds} rounds, {sum(cut.values())} killed {dict(cut)}, {halfway} with tables away, {lost} lost something")
    sys.exit(lost > 0)


if __name__ == "__main__":
    main()
